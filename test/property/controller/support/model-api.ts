import { ApiError } from '../../../../src/kube/api-error.ts';
import type { KubeClient } from '../../../../src/kube/client.ts';
import { keyOf, resourceName } from '../../../../src/kube/resource.ts';
import type { KubeObject, ObjectRef, ResourceType } from '../../../../src/kube/resource.ts';
import { reasonOf } from '../../../../src/lib/clock.ts';
import { DEFINITIONS, HOST_NODES } from '../../../../src/controller/kinds.ts';
import { canonicalJson } from '../../../../src/controller/vmnetwork/plan/canonical-json.ts';

export interface ModelEvent {
  readonly type: 'set' | 'deleted';
  readonly object: KubeObject;
}

/** A request of the controller that the model has not answered yet. */
export interface PendingRequest {
  readonly title: string;
  readonly write: boolean;
  /** Does it and answers. */
  readonly serve: () => void;
  /** Does it, and answers later: caches may be faster. */
  readonly serveLate: () => void;
  /** Does it, and the answer is lost. */
  readonly loseAnswer: () => void;
  /** Does nothing and fails. */
  readonly fail: () => void;
  /** Says no, as a quota or an admission policy does. */
  readonly refuse: () => void;
  /** The process that asked is no more. */
  readonly abandon: () => void;
}

type AnyObject = KubeObject & { spec?: unknown; status?: unknown };

/* eslint-disable @typescript-eslint/no-unnecessary-type-parameters -- the caller knows the kind, as with KubeClient */

/**
 * Objects with the rules of the API server that matter here: versions and optimistic locking, generation, uid, status apart
 * from spec, finalizers. Each change is an event in the log of its kind; caches read it as late as they like.
 */
export class ModelApi {
  readonly #objects = new Map<string, Map<string, AnyObject>>();
  readonly #logs = new Map<string, ModelEvent[]>();
  #version = 0;
  #uid = 0;
  #now: () => number;
  /** Looks at what is about to be written; throws when it must never be. */
  onWrite: (before: AnyObject | undefined, after: AnyObject | undefined, byController: boolean) => void =
    () => undefined;
  /** Looks at what was written. */
  afterWrite: (object: AnyObject, byController: boolean) => void = () => undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  get version(): number {
    return this.#version;
  }

  all<T extends KubeObject>(type: ResourceType): T[] {
    return [...this.#of(type).values()] as T[];
  }

  find<T extends KubeObject>(type: ResourceType, key: string): T | undefined {
    return this.#of(type).get(key) as T | undefined;
  }

  log(type: ResourceType): readonly ModelEvent[] {
    const log = this.#logs.get(type.plural) ?? [];
    this.#logs.set(type.plural, log);
    return log;
  }

  create(type: ResourceType, given: AnyObject, byController = false): AnyObject {
    const key = keyOf(given);
    if (this.#of(type).has(key)) throw refused(409, 'AlreadyExists', key);
    const metadata = {
      ...given.metadata,
      uid: `uid-${(this.#uid += 1)}`,
      generation: 1,
      creationTimestamp: new Date(this.#now()).toISOString(),
    };
    const { status: _none, ...rest } = given;
    return this.#put(type, undefined, { ...rest, metadata }, byController);
  }

  update(type: ResourceType, given: AnyObject, subresource?: 'status', byController = false): AnyObject {
    const before = this.#of(type).get(keyOf(given));
    if (before === undefined) throw refused(404, 'NotFound', keyOf(given));
    const { resourceVersion, uid } = given.metadata;
    if (resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion)
      throw refused(409, 'Conflict', keyOf(given));
    if (uid !== undefined && uid !== before.metadata.uid) throw refused(409, 'Conflict', keyOf(given));
    if (subresource === 'status') {
      return this.#put(type, before, { ...before, status: structuredClone(given.status) }, byController);
    }
    const moved = canonicalJson(before.spec ?? null) !== canonicalJson(given.spec ?? null);
    const { deletionTimestamp, creationTimestamp } = before.metadata;
    const metadata = {
      ...given.metadata,
      ...(before.metadata.uid === undefined ? {} : { uid: before.metadata.uid }),
      generation: (before.metadata.generation ?? 0) + (moved ? 1 : 0),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    };
    delete metadata.deletionTimestamp;
    if (deletionTimestamp !== undefined) metadata.deletionTimestamp = deletionTimestamp;
    const after = { ...given, metadata, status: before.status };
    if (deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0) {
      this.#drop(type, before, byController);
      return after;
    }
    return this.#put(type, before, after, byController);
  }

  delete(type: ResourceType, key: string, uid?: string, byController = false): void {
    const before = this.#of(type).get(key);
    if (before === undefined) throw refused(404, 'NotFound', key);
    if (uid !== undefined && uid !== before.metadata.uid) throw refused(409, 'Conflict', key);
    if ((before.metadata.finalizers ?? []).length === 0) return this.#drop(type, before, byController);
    if (before.metadata.deletionTimestamp !== undefined) return;
    const deletionTimestamp = new Date(this.#now()).toISOString();
    const generation = (before.metadata.generation ?? 0) + 1;
    this.#put(
      type,
      before,
      { ...before, metadata: { ...before.metadata, deletionTimestamp, generation } },
      byController,
    );
  }

  #put(
    type: ResourceType,
    before: AnyObject | undefined,
    given: AnyObject,
    byController: boolean,
  ): AnyObject {
    const object = structuredClone(given);
    // A write that changes nothing is none.
    if (before !== undefined && canonicalJson(object) === canonicalJson(before)) return before;
    object.metadata.resourceVersion = String((this.#version += 1));
    this.onWrite(before, object, byController);
    this.#of(type).set(keyOf(object), deepFreeze(object));
    this.#log(type, { type: 'set', object });
    this.afterWrite(object, byController);
    return object;
  }

  #drop(type: ResourceType, before: AnyObject, byController: boolean): void {
    this.onWrite(before, undefined, byController);
    this.#of(type).delete(keyOf(before));
    const metadata = { ...before.metadata, resourceVersion: String((this.#version += 1)) };
    this.#log(type, { type: 'deleted', object: { ...before, metadata } });
    this.afterWrite(before, byController);
  }

  #log(type: ResourceType, event: ModelEvent): void {
    (this.log(type) as ModelEvent[]).push(event);
  }

  #of(type: ResourceType): Map<string, AnyObject> {
    const objects = this.#objects.get(type.plural) ?? new Map<string, AnyObject>();
    this.#objects.set(type.plural, objects);
    return objects;
  }
}

interface Signalled {
  readonly signal?: AbortSignal | undefined;
}

/** The client of one process: each request waits until somebody lets it through. */
export class ModelClient implements KubeClient {
  readonly #api: ModelApi;
  readonly pending: PendingRequest[] = [];
  /** Nobody waits for their answer any more. They never arrive, unless somebody lets one through. */
  readonly aborted: PendingRequest[] = [];
  writes = 0;
  requests = 0;

  constructor(api: ModelApi) {
    this.#api = api;
  }

  get<T extends KubeObject>(type: ResourceType, ref: ObjectRef, signal?: AbortSignal): Promise<T> {
    const find = () => {
      const found = this.#api.find<T>(type, keyOf(ref));
      if (found === undefined) throw refused(404, 'NotFound', keyOf(ref));
      return found;
    };
    return this.#ask(`get ${type.kind} ${keyOf(ref)}`, false, find, signal);
  }

  list: KubeClient['list'] = <T extends KubeObject>(
    type: ResourceType,
    options: { fieldSelector?: string | undefined },
  ) => {
    const name = options.fieldSelector?.replace('metadata.name=', '');
    return this.#ask(`list ${type.kind}`, false, () => {
      if (type === HOST_NODES && this.#api.find(DEFINITIONS, resourceName(type)) === undefined)
        throw refused(404, 'NotFound', type.plural);
      return {
        metadata: { resourceVersion: String(this.#api.version) },
        items: this.#api.all<T>(type).filter((item) => name === undefined || item.metadata.name === name),
      };
    });
  };

  create<T extends KubeObject>(type: ResourceType, object: T, { signal }: Signalled = {}): Promise<T> {
    const title = `create ${type.kind} ${keyOf(object)}`;
    return this.#ask(title, true, () => this.#api.create(type, object, true) as T, signal);
  }

  update<T extends KubeObject>(
    type: ResourceType,
    object: T,
    { subresource, signal }: Signalled & { subresource?: 'status' | undefined } = {},
  ): Promise<T> {
    const title = `update ${type.kind} ${keyOf(object)} ${subresource ?? ''}`;
    return this.#ask(title, true, () => this.#api.update(type, object, subresource, true) as T, signal);
  }

  delete(
    type: ResourceType,
    ref: ObjectRef,
    { uid, signal }: Signalled & { uid?: string | undefined } = {},
  ): Promise<void> {
    const title = `delete ${type.kind} ${keyOf(ref)}`;
    return this.#ask(title, true, () => this.#api.delete(type, keyOf(ref), uid, true), signal);
  }

  watch(): never {
    throw new Error('not of this model');
  }

  apply(): never {
    throw new Error('not of this model');
  }

  patch(): never {
    throw new Error('not of this model');
  }

  #ask<T>(title: string, write: boolean, act: () => T, signal?: AbortSignal): Promise<T> {
    this.requests += 1;
    if (write) this.writes += 1;
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(reasonOf(signal));
      /** Does it; gives how to answer. */
      const attempt = (): (() => void) => {
        try {
          const value = act();
          return () => resolve(value);
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          return () => reject(error);
        }
      };
      const wait = (of: string, answer: () => void, lose: () => void, later: () => void): void => {
        const end = (finish: () => void) => () => {
          signal?.removeEventListener('abort', onAbort);
          const requests = this.pending.includes(request) ? this.pending : this.aborted;
          requests.splice(requests.indexOf(request), 1);
          finish();
        };
        const onAbort = () => {
          this.pending.splice(this.pending.indexOf(request), 1);
          this.aborted.push(request);
          reject(reasonOf(signal));
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        // What was done can be neither undone nor refused any more.
        const isDone = of !== title;
        const request: PendingRequest = {
          title: of,
          write,
          serve: end(answer),
          serveLate: end(later),
          loseAnswer: end(lose),
          fail: end(isDone ? lose : () => reject(new Error(`${title}: no connection`))),
          refuse: end(isDone ? answer : () => reject(refused(403, 'Forbidden', title))),
          abandon: end(() => undefined),
        };
        this.pending.push(request);
      };
      const lost = () => reject(new Error(`${title}: the answer was lost`));
      wait(
        title,
        () => attempt()(),
        () => {
          attempt();
          lost();
        },
        () => {
          const answer = attempt();
          // It is done: all that is left is to hear of it, or not.
          const hear = () => wait(`answer to ${title}`, answer, lost, hear);
          hear();
        },
      );
    });
  }
}

function refused(status: number, reason: string, key: string): ApiError {
  return new ApiError(`${key}: ${reason}`, { status, reason });
}

/** What a cache hands out is shared: nobody may change it. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const field of Object.values(value)) deepFreeze(field);
  return value;
}
