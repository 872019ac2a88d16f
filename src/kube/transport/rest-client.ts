import type { Clock } from '../../lib/clock.ts';
import type {
  ApplyOptions,
  DeleteOptions,
  KubeClient,
  ListOptions,
  ObjectList,
  Selection,
  SubresourceOption,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '../client.ts';
import { apiVersionOf, collectionPath, objectPath } from '../resource.ts';
import type { KubeObject, ObjectRef, ResourceType } from '../resource.ts';
import { apiErrorOf, objectIn } from './answer.ts';
import type { Connection, OutgoingRequest } from './connection.ts';
import { jsonLines } from './json-lines.ts';
import { withoutManagedFields } from './managed-fields.ts';
import { retryDelayMs } from './retry.ts';
import { TransportError } from './transport-error.ts';
import { watchEventOf } from './watch-event.ts';

/** Told of each answer and each failure to get one. */
export interface RequestMetrics {
  /** `code`: HTTP status, or `<error>` when there was no answer. `method`: of HTTP; a watch is a GET. */
  request(code: number | '<error>', method: string): void;
}

export interface RestClientOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly metrics?: RequestMetrics | undefined;
  /** In [0, 1). */
  readonly random?: (() => number) | undefined;
  /** Bytes of one event of a watch. etcd takes objects of 1.5 MiB unless told otherwise; JSON is longer than what it stores. */
  readonly maxEventBytes?: number | undefined;
}

const DEFAULT_MAX_EVENT_BYTES = 16 << 20;

interface Sending {
  readonly kind: 'read' | 'write';
  readonly body?: object | undefined;
  readonly contentType?: string | undefined;
  readonly options?: WriteOptions | undefined;
}

/** The API server over HTTP and JSON: https://kubernetes.io/docs/reference/using-api/api-concepts/ */
export class RestClient implements KubeClient {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #metrics: RequestMetrics | undefined;
  readonly #random: () => number;
  readonly #maxEventBytes: number;

  constructor(options: RestClientOptions) {
    this.#connection = options.connection;
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#random = options.random ?? Math.random;
    this.#maxEventBytes = options.maxEventBytes ?? DEFAULT_MAX_EVENT_BYTES;
  }

  async get<T extends KubeObject>(type: ResourceType, ref: ObjectRef, signal?: AbortSignal): Promise<T> {
    return (await this.#send('GET', objectPath(type, ref), { kind: 'read', options: { signal } })) as T;
  }

  async list<T extends KubeObject>(
    type: ResourceType,
    options: ListOptions,
    signal?: AbortSignal,
  ): Promise<ObjectList<T>> {
    const path = collectionPath(type, options.namespace) + listQuery(options);
    const list = (await this.#send('GET', path, { kind: 'read', options: { signal } })) as Partial<
      ObjectList<T>
    >;
    if (list.metadata?.resourceVersion === undefined || !Array.isArray(list.items ?? [])) {
      throw new TransportError('BAD_RESPONSE', `GET ${withoutQuery(path)}: the answer is not a list`);
    }
    const identity = { apiVersion: apiVersionOf(type), kind: type.kind };
    // The items of built-in kinds come without what the list says for all of them.
    const items = (list.items ?? []).map((item) => withoutManagedFields(Object.assign(item, identity)));
    return { metadata: list.metadata, items };
  }

  async *watch<T extends KubeObject>(
    type: ResourceType,
    options: WatchOptions,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>> {
    const path = collectionPath(type, options.namespace) + watchQuery(options);
    const what = `WATCH ${collectionPath(type, options.namespace)}`;
    const answer = await this.#counted('GET', () => this.#connection.stream({ method: 'GET', path, signal }));
    if (!('chunks' in answer)) throw apiErrorOf(what, answer, this.#clock.nowMs());
    options.onOpen?.();
    for await (const line of jsonLines(answer.chunks, this.#maxEventBytes)) yield watchEventOf<T>(what, line);
  }

  async create<T extends KubeObject>(type: ResourceType, object: T, options: WriteOptions = {}): Promise<T> {
    const path = collectionPath(type, object.metadata.namespace) + managerQuery(options);
    return (await this.#send('POST', path, { kind: 'write', body: object, options })) as T;
  }

  async update<T extends KubeObject>(
    type: ResourceType,
    object: T,
    options: WriteOptions & SubresourceOption = {},
  ): Promise<T> {
    const path = objectPath(type, object.metadata, options.subresource) + managerQuery(options);
    return (await this.#send('PUT', path, { kind: 'write', body: object, options })) as T;
  }

  async apply<T extends KubeObject>(
    type: ResourceType,
    object: T,
    options: ApplyOptions & SubresourceOption,
  ): Promise<T> {
    const { fieldManager, force, subresource } = options;
    const path = objectPath(type, object.metadata, subresource) + query({ fieldManager, force });
    // JSON is YAML; every server that applies knows this type.
    const contentType = 'application/apply-patch+yaml';
    return (await this.#send('PATCH', path, { kind: 'write', body: object, contentType, options })) as T;
  }

  async patch<T extends KubeObject>(
    type: ResourceType,
    ref: ObjectRef,
    patch: object,
    options: WriteOptions & SubresourceOption = {},
  ): Promise<T> {
    const path = objectPath(type, ref, options.subresource) + managerQuery(options);
    const contentType = 'application/merge-patch+json';
    return (await this.#send('PATCH', path, { kind: 'write', body: patch, contentType, options })) as T;
  }

  async delete(type: ResourceType, ref: ObjectRef, options: DeleteOptions = {}): Promise<void> {
    const { uid, resourceVersion } = options;
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      ...((uid !== undefined || resourceVersion !== undefined) && {
        preconditions: { uid, resourceVersion },
      }),
    };
    await this.#send('DELETE', objectPath(type, ref), { kind: 'write', body, options });
  }

  async #send(method: string, path: string, sending: Sending): Promise<object> {
    const { kind, body, contentType = 'application/json', options = {} } = sending;
    const { signal, beforeSend } = options;
    const request: OutgoingRequest = {
      method,
      path,
      headers: body === undefined ? undefined : { 'content-type': contentType },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      beforeSend,
    };
    const what = `${method} ${withoutQuery(path)}`;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const answer = await this.#counted(method, () => this.#connection.request(request));
        return withoutManagedFields(objectIn(what, answer, this.#clock.nowMs()));
      } catch (error) {
        const delayMs = retryDelayMs(attempt, kind, error, this.#random);
        if (delayMs === null) throw error;
        await this.#clock.sleep(delayMs, signal);
      }
    }
  }

  async #counted<T extends { readonly status: number }>(method: string, send: () => Promise<T>): Promise<T> {
    try {
      const answer = await send();
      this.#metrics?.request(answer.status, method);
      return answer;
    } catch (error) {
      this.#metrics?.request('<error>', method);
      throw error;
    }
  }
}

/** The query may hold a continue token of a kilobyte. */
function withoutQuery(path: string): string {
  return path.split('?')[0] ?? '';
}

function selectionOf({ fieldSelector, labelSelector }: Selection): QueryValues {
  return { fieldSelector, labelSelector };
}

function listQuery(options: ListOptions): string {
  const { limit, continue: token, resourceVersion, resourceVersionMatch } = options;
  return query({ ...selectionOf(options), limit, continue: token, resourceVersion, resourceVersionMatch });
}

function watchQuery(options: WatchOptions): string {
  const { resourceVersion, allowWatchBookmarks, timeoutSeconds } = options;
  return query({
    watch: true,
    ...selectionOf(options),
    resourceVersion,
    allowWatchBookmarks,
    timeoutSeconds,
  });
}

function managerQuery({ fieldManager }: WriteOptions): string {
  return query({ fieldManager });
}

type QueryValues = Readonly<Record<string, string | number | boolean | undefined>>;

function query(values: QueryValues): string {
  const given = Object.entries(values).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, String(value)] as [string, string]],
  );
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}
