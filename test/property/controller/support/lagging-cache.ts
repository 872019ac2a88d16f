import type { EventHandler, InformerEvent } from '../../../../src/kube/reflector/informer.ts';
import { keyOf } from '../../../../src/kube/resource.ts';
import type { KubeObject, ResourceType } from '../../../../src/kube/resource.ts';
import { IndexedStore } from '../../../../src/kube/store/store.ts';
import type { Indexers } from '../../../../src/kube/store/store.ts';
import type { ModelApi } from './model-api.ts';

/** A cache that has seen the log of its kind up to some event, and sees the next when it is told to. */
export class LaggingCache<T extends KubeObject> {
  readonly store: IndexedStore<T>;
  readonly #api: ModelApi;
  readonly #type: ResourceType;
  readonly #handlers: EventHandler<T>[] = [];
  #seen: number;

  /** Begins with all there is: what a new leader lists. */
  constructor(api: ModelApi, type: ResourceType, indexers: Indexers<T> = {}) {
    this.store = new IndexedStore<T>(indexers);
    this.#api = api;
    this.#type = type;
    this.#seen = api.log(type).length;
    for (const object of api.all<T>(type)) this.store.set(object);
  }

  get behind(): number {
    return this.#api.log(this.#type).length - this.#seen;
  }

  /** Whether it has yet to see something of an object. */
  isBehindOn(key: string): boolean {
    return this.#api
      .log(this.#type)
      .slice(this.#seen)
      .some(({ object }) => keyOf(object) === key);
  }

  onEvent(handler: EventHandler<T>): void {
    this.#handlers.push(handler);
    for (const object of this.store.list()) handler({ type: 'added', object });
  }

  /** Sees at most so many events more. */
  catchUp(most: number): void {
    for (let count = 0; count < most && this.behind > 0; count += 1) {
      const event = this.#api.log(this.#type)[this.#seen++];
      if (event !== undefined) this.#apply(event.type, event.object as T);
    }
  }

  /** The watch broke: the list that follows shows only what is there now. */
  relist(): void {
    this.#seen = this.#api.log(this.#type).length;
    const present = new Map(this.#api.all<T>(this.#type).map((object) => [keyOf(object), object]));
    for (const object of this.store.list()) if (!present.has(keyOf(object))) this.#apply('deleted', object);
    for (const object of present.values()) this.#apply('set', object);
  }

  #apply(type: 'set' | 'deleted', object: T): void {
    const previous = this.store.get(keyOf(object));
    if (type === 'deleted') {
      if (previous === undefined) return;
      this.store.delete(keyOf(object));
      return this.#tell({ type: 'deleted', object, previous });
    }
    if (previous !== undefined && previous.metadata.uid !== object.metadata.uid)
      this.#apply('deleted', previous);
    const known = this.store.get(keyOf(object));
    if (known?.metadata.resourceVersion === object.metadata.resourceVersion) return;
    this.store.set(object);
    this.#tell(
      known === undefined ? { type: 'added', object } : { type: 'updated', object, previous: known },
    );
  }

  #tell(event: InformerEvent<T>): void {
    for (const handler of this.#handlers) handler(event);
  }
}
