import type { Logger } from '../../lib/log.ts';
import type { Clock } from '../../lib/clock.ts';
import type { KubeClient, Selection } from '../client.ts';
import { keyOf, resourceName } from '../resource.ts';
import type { KubeObject, ResourceType } from '../resource.ts';
import { IndexedStore } from '../store/store.ts';
import type { Indexers, Store } from '../store/store.ts';
import { hasLostPast } from './lost-past.ts';
import { Reflector } from './reflector.ts';
import type { ReflectorSink } from './reflector.ts';

export interface InformerEvent<T> {
  readonly type: 'added' | 'updated' | 'deleted';
  /** Of `deleted`: the last state that is known. */
  readonly object: T;
  /** What the store held before. */
  readonly previous?: T;
}

export type EventHandler<T> = (event: InformerEvent<T>) => void;

/** A store that follows a collection, and tells how it changes. */
export interface Informer<T extends KubeObject> {
  readonly store: Store<T>;
  /**
   * From now on the handler hears each change, after the store has it, in the order of the changes. What the store
   * already holds is told at once as `added`, so nothing is lost by coming late. A handler must not wait or throw.
   */
  onEvent(handler: EventHandler<T>): void;
  /** Follows until the signal aborts, through every failure of the server; resolves then. Once. */
  start(signal: AbortSignal): Promise<void>;
  /** The first list is in the store and was told. Rejects if the informer ends before that. */
  synced(): Promise<void>;
  /** When the server last answered, on the monotonic clock in ms; -Infinity before it ever did. */
  readonly lastContactMs: number;
}

export interface InformerOptions<T> extends Selection {
  readonly indexers?: Indexers<T> | undefined;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random?: (() => number) | undefined;
  readonly log?: Logger | undefined;
  /**
   * Called when the server turns out to have lost its data, or to have been given older ones back, before the store shows it:
   * what other collections told is worth nothing either, and shows it later.
   */
  readonly onLostPast?: (() => void) | undefined;
}

export function informer<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType,
  options: InformerOptions<T>,
): Informer<T> {
  return new StoreInformer(client, type, options);
}

class StoreInformer<T extends KubeObject> implements Informer<T>, ReflectorSink<T> {
  readonly store: IndexedStore<T>;
  readonly #reflector: Reflector<T>;
  readonly #type: ResourceType;
  readonly #clock: Clock;
  readonly #log: Logger | undefined;
  readonly #onLostPast: () => void;
  readonly #synced: Promise<void>;
  #sync: () => void = () => undefined;
  #unsync: (reason: unknown) => void = () => undefined;
  #handlers: readonly EventHandler<T>[] = [];
  #lastContactMs = Number.NEGATIVE_INFINITY;
  #started = false;

  constructor(client: KubeClient, type: ResourceType, options: InformerOptions<T>) {
    this.#type = type;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#onLostPast = options.onLostPast ?? (() => undefined);
    this.store = new IndexedStore<T>(this.#guarded(options.indexers ?? {}));
    this.#reflector = new Reflector<T>(client, type, this, options);
    this.#synced = new Promise((resolve, reject) => {
      this.#sync = resolve;
      this.#unsync = reject;
    });
    // Not everybody asks.
    this.#synced.catch(() => undefined);
  }

  get lastContactMs(): number {
    return this.#lastContactMs;
  }

  onEvent(handler: EventHandler<T>): void {
    // A new array: a handler that comes while an event is told hears of it from the store, not twice.
    this.#handlers = [...this.#handlers, handler];
    for (const object of this.store.list()) this.#tell([handler], { type: 'added', object });
  }

  async start(signal: AbortSignal): Promise<void> {
    if (this.#started) throw new TypeError(`the informer of ${resourceName(this.#type)} was started twice`);
    this.#started = true;
    try {
      await this.#reflector.run(signal);
    } finally {
      this.#unsync(signal.reason ?? new Error(`the informer of ${resourceName(this.#type)} ended`));
    }
  }

  synced(): Promise<void> {
    return this.#synced;
  }

  contact(): void {
    this.#lastContactMs = this.#clock.monotonicMs();
  }

  replace(items: readonly T[], version: string, heard: string): void {
    if (hasLostPast(this.store, items, version, heard)) this.#onLostPast();
    const present = new Set(items.map(keyOf));
    // First what is gone: what comes may take over its place in an index.
    for (const key of [...this.store.keys()]) if (!present.has(key)) this.#remove(key);
    for (const item of items) this.#put(item);
    this.#sync();
  }

  apply(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void {
    if (type !== 'DELETED') return this.#put(object);
    const known = this.store.get(keyOf(object));
    // The end of one that we already know to have been replaced.
    if (known !== undefined && known.metadata.uid === object.metadata.uid)
      this.#remove(keyOf(object), object);
  }

  #put(object: T): void {
    const key = keyOf(object);
    const previous = this.store.get(key);
    if (previous !== undefined && previous.metadata.uid !== object.metadata.uid) {
      this.#remove(key);
    } else if (previous !== undefined) {
      if (previous.metadata.resourceVersion === object.metadata.resourceVersion) return;
      this.store.set(object);
      return this.#tell(this.#handlers, { type: 'updated', object, previous });
    }
    this.store.set(object);
    this.#tell(this.#handlers, { type: 'added', object });
  }

  #remove(key: string, last?: T): void {
    const previous = this.store.get(key);
    if (previous === undefined) return;
    this.store.delete(key);
    this.#tell(this.#handlers, { type: 'deleted', object: last ?? previous, previous });
  }

  /** An object that an indexer cannot read must not end the watch; it is in no index then. */
  #guarded(indexers: Indexers<T>): Indexers<T> {
    const guard =
      (index: string, indexer: (object: T) => readonly string[]) =>
      (object: T): readonly string[] => {
        try {
          return indexer(object);
        } catch (err) {
          this.#log?.error(
            { err, resource: resourceName(this.#type), key: keyOf(object), index },
            'an indexer failed',
          );
          return [];
        }
      };
    return Object.fromEntries(
      Object.entries(indexers).map(([name, indexer]) => [name, guard(name, indexer)]),
    );
  }

  /** One handler's failure is that handler's: the others hear, and the store stays true. */
  #tell(handlers: readonly EventHandler<T>[], event: InformerEvent<T>): void {
    for (const handler of handlers) {
      try {
        handler(event);
      } catch (err) {
        const fields = {
          err,
          resource: resourceName(this.#type),
          key: keyOf(event.object),
          event: event.type,
        };
        this.#log?.error(fields, 'a handler failed');
      }
    }
  }
}
