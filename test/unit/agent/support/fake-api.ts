import { ApiError } from '../../../../src/kube/api-error.ts';
import type { KubeClient, WatchEvent } from '../../../../src/kube/client.ts';
import { keyOf } from '../../../../src/kube/resource.ts';
import type { KubeObject, ObjectRef, ResourceType } from '../../../../src/kube/resource.ts';
import { TransportError } from '../../../../src/kube/transport/transport-error.ts';

type AnyObject = KubeObject & { spec?: unknown; status?: unknown };

/* eslint-disable @typescript-eslint/no-unnecessary-type-parameters -- the caller knows the kind, as with KubeClient */

/**
 * An API server in memory, as far as an agent asks it: versions and optimistic locking, generation, status apart from spec,
 * watches. Every request is noted. It can be away, and it can refuse.
 */
export class FakeApi {
  /** `verb plural[/status] key`, reads too. */
  readonly requests: string[] = [];
  away = false;
  /** Thrown by the next write. */
  refuseNext: Error | null = null;
  readonly #objects = new Map<string, Map<string, AnyObject>>();
  /** Every event there was, by collection. */
  readonly #log: { readonly plural: string; readonly event: WatchEvent<AnyObject> }[] = [];
  readonly #watchers = new Set<() => void>();
  #version = 0;

  get writes(): string[] {
    return this.requests.filter((request) => /^(create|update)/.test(request));
  }

  find<T extends KubeObject>(type: ResourceType, key: string): T | undefined {
    return this.#of(type).get(key) as T | undefined;
  }

  /** What somebody else does: makes it, or changes whatever is given of it. */
  put<T extends KubeObject>(type: ResourceType, object: T): T {
    const key = keyOf(object);
    const before = this.#of(type).get(key);
    const metadata = { uid: `uid of ${key}`, generation: 1, ...object.metadata };
    return this.#store(type, { ...before, ...object, metadata }, before) as unknown as T;
  }

  remove(type: ResourceType, key: string): void {
    const object = this.#of(type).get(key);
    if (object === undefined) return;
    this.#of(type).delete(key);
    this.#tell(type, { type: 'DELETED', object: { ...object, metadata: this.#versioned(object) } });
  }

  client(): KubeClient {
    return {
      get: async <T extends KubeObject>(type: ResourceType, ref: ObjectRef) => {
        this.#ask(`get ${type.plural} ${keyOf(ref)}`);
        return structuredClone(this.#need(type, keyOf(ref))) as unknown as T;
      },
      list: async <T extends KubeObject>(type: ResourceType) => {
        this.#ask(`list ${type.plural}`);
        const items = [...this.#of(type).values()].map((item) => structuredClone(item) as unknown as T);
        return { metadata: { resourceVersion: String(this.#version) }, items };
      },
      watch: <T extends KubeObject>(
        type: ResourceType,
        { resourceVersion }: { resourceVersion: string },
        signal: AbortSignal,
      ) => {
        this.#ask(`watch ${type.plural}`);
        return this.#watch(type, Number(resourceVersion), signal) as unknown as AsyncIterable<WatchEvent<T>>;
      },
      create: async <T extends KubeObject>(type: ResourceType, object: T) => {
        this.#ask(`create ${type.plural} ${keyOf(object)}`, true);
        if (this.#of(type).has(keyOf(object))) throw refused(409, 'AlreadyExists');
        return structuredClone(this.put(type, object));
      },
      update: async <T extends KubeObject>(type: ResourceType, given: T, options = {}) => {
        const key = keyOf(given);
        const isStatus = (options as { subresource?: string }).subresource === 'status';
        this.#ask(`update ${type.plural}${isStatus ? '/status' : ''} ${key}`, true);
        const before = this.#need(type, key);
        if (given.metadata.resourceVersion !== before.metadata.resourceVersion)
          throw refused(409, 'Conflict');
        const after = isStatus ? { ...before, status: (given as AnyObject).status } : { ...before, ...given };
        return structuredClone(this.#store(type, after, before)) as unknown as T;
      },
      apply: () => Promise.reject(new Error('agents apply nothing')),
      patch: () => Promise.reject(new Error('agents patch nothing')),
      delete: () => Promise.reject(new Error('agents delete nothing')),
    };
  }

  #ask(request: string, write = false): void {
    if (this.away) throw new TransportError('ECONNREFUSED', 'is away');
    this.requests.push(request);
    const refusal = write ? this.refuseNext : null;
    if (refusal === null) return;
    this.refuseNext = null;
    throw refusal;
  }

  async *#watch(
    { plural }: ResourceType,
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<AnyObject>> {
    let next = this.#log.findIndex(({ event }) => Number(event.object.metadata.resourceVersion) > after);
    if (next < 0) next = this.#log.length;
    let wake: () => void = () => undefined;
    const watcher = (): void => wake();
    this.#watchers.add(watcher);
    signal.addEventListener('abort', watcher, { once: true });
    try {
      while (!signal.aborted) {
        for (; next < this.#log.length; next += 1) {
          const entry = this.#log[next];
          if (entry?.plural === plural) yield structuredClone(entry.event);
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (next < this.#log.length || signal.aborted) resolve();
        });
      }
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  #store(type: ResourceType, object: AnyObject, before: AnyObject | undefined): AnyObject {
    const stored = { ...object, metadata: this.#versioned(object) };
    this.#of(type).set(keyOf(object), stored);
    this.#tell(type, { type: before === undefined ? 'ADDED' : 'MODIFIED', object: stored });
    return stored;
  }

  #versioned({ metadata }: AnyObject): KubeObject['metadata'] {
    return { ...metadata, resourceVersion: String((this.#version += 1)) };
  }

  #tell({ plural }: ResourceType, event: WatchEvent<AnyObject>): void {
    this.#log.push({ plural, event });
    for (const watcher of this.#watchers) watcher();
  }

  #need(type: ResourceType, key: string): AnyObject {
    const object = this.#of(type).get(key);
    if (object === undefined) throw refused(404, 'NotFound');
    return object;
  }

  #of({ plural }: ResourceType): Map<string, AnyObject> {
    const objects = this.#objects.get(plural) ?? new Map<string, AnyObject>();
    this.#objects.set(plural, objects);
    return objects;
  }
}

export function refused(status: number, reason: string): ApiError {
  return new ApiError(`the API server says ${reason}`, { status, reason });
}
