import { isNewer } from '../../kube/reflector/resource-version.ts';
import type { KubeObject } from '../../kube/resource.ts';
import { keyOf } from '../../kube/resource.ts';
import type { Store } from '../../kube/store/store.ts';
import type { Clock } from '../../lib/clock.ts';

/** How long the cache may lag behind before it is believed all the same: its versions may have gone back (a restored etcd). */
const BELIEVE_CACHE_AFTER_MS = 60_000;

/**
 * A cache that shows what this process wrote itself, until the cache behind it shows that or something newer. Without it the
 * pass that follows a write would plan from before the write, and only the API server's conflict would stop it.
 */
export class WrittenView<T extends KubeObject> {
  readonly #store: Store<T>;
  readonly #clock: Clock;
  readonly #written = new Map<string, { readonly object: T; readonly sinceMs: number }>();

  constructor(store: Store<T>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  get(key: string): T | undefined {
    const cached = this.#store.get(key);
    const own = this.#written.get(key);
    if (own === undefined) return cached;
    const { metadata } = own.object;
    const isRecent = own.sinceMs > this.#clock.monotonicMs() - BELIEVE_CACHE_AFTER_MS;
    const isSame = cached?.metadata.uid === metadata.uid;
    if (isRecent && isSame && isNewer(metadata, cached?.metadata ?? {})) return own.object;
    this.#written.delete(key);
    return cached;
  }

  written(object: T): void {
    const key = keyOf(object);
    this.#written.set(key, { object, sinceMs: this.#clock.monotonicMs() });
    // The cache may have shown it before the answer came.
    this.get(key);
  }

  /** A conflict: somebody wrote after us. The cache will tell. */
  forget(key: string): void {
    this.#written.delete(key);
  }

  /** Whether an object of the cache is just what this process wrote last. Asked once, when it comes: then the cache has it. */
  isOwn(object: T): boolean {
    const key = keyOf(object);
    const own = this.#written.get(key)?.object;
    if (own?.metadata.resourceVersion !== object.metadata.resourceVersion) return false;
    this.#written.delete(key);
    return true;
  }
}
