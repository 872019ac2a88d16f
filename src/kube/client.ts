import type { KubeObject, ObjectRef, ResourceType } from './resource.ts';

/**
 * The API server, typed by the caller: what comes back is trusted to be what the type says, because the server checked
 * it against its schema. Whoever reads objects that others may write with an older schema checks them. Objects come
 * without `metadata.managedFields`; nobody else has what was answered.
 *
 * Every method throws `ApiError` for what the server answered, `TransportError` for what kept it from answering, and the
 * reason of its signal when that is aborted. Reads are repeated a few times when the network or the server fails;
 * writes only when the server says that it did not look at them (429), because nobody knows what became of any other.
 */
export interface KubeClient {
  get<T extends KubeObject>(type: ResourceType, ref: ObjectRef, signal?: AbortSignal): Promise<T>;
  /** One page, or all when no limit is given. */
  list<T extends KubeObject>(
    type: ResourceType,
    options: ListOptions,
    signal?: AbortSignal,
  ): Promise<ObjectList<T>>;
  /** Ends when the server ends the watch; throws when anything else does. Events in the order of their versions. */
  watch<T extends KubeObject>(
    type: ResourceType,
    options: WatchOptions,
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>>;
  create<T extends KubeObject>(type: ResourceType, object: T, options?: WriteOptions): Promise<T>;
  /** PUT. A resourceVersion in the object makes it conditional: `isConflict` when somebody else wrote meanwhile. */
  update<T extends KubeObject>(
    type: ResourceType,
    object: T,
    options?: WriteOptions & SubresourceOption,
  ): Promise<T>;
  /** Server-side apply. With `force`, fields of other managers are taken over. */
  apply<T extends KubeObject>(
    type: ResourceType,
    object: T,
    options: ApplyOptions & SubresourceOption,
  ): Promise<T>;
  /** Merge patch (RFC 7386). */
  patch<T extends KubeObject>(
    type: ResourceType,
    ref: ObjectRef,
    patch: object,
    options?: WriteOptions & SubresourceOption,
  ): Promise<T>;
  /** Resolves once the server has taken note; finalizers may keep the object for long after. */
  delete(type: ResourceType, ref: ObjectRef, options?: DeleteOptions): Promise<void>;
}

export interface Selection {
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly labelSelector?: string | undefined;
}

export interface ListOptions extends Selection {
  /** Objects a page. */
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
  /** Absent: the newest there is, read through a quorum. */
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan' | undefined;
}

export interface ObjectList<T> {
  readonly metadata: {
    /** Of the collection at the time of the list: a watch may begin here. */
    readonly resourceVersion: string;
    /** Another page is to be had with this. */
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
  readonly items: readonly T[];
}

export interface WatchOptions extends Selection {
  /** Events after this version. */
  readonly resourceVersion: string;
  readonly allowWatchBookmarks?: boolean | undefined;
  /** The server ends the watch after this time, seconds. */
  readonly timeoutSeconds?: number | undefined;
  /** Called once the server has accepted the watch, which may be long before the first event. */
  readonly onOpen?: (() => void) | undefined;
}

export interface WatchEvent<T> {
  /** A BOOKMARK's object has nothing but a resourceVersion: all events up to it were sent. */
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: T;
}

export interface WriteOptions {
  readonly fieldManager?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called on a connection that stands, right before the bytes go out, each time they do. What it throws is thrown. */
  readonly beforeSend?: (() => void) | undefined;
}

export interface SubresourceOption {
  readonly subresource?: 'status' | undefined;
}

export interface ApplyOptions extends WriteOptions {
  readonly fieldManager: string;
  readonly force?: boolean | undefined;
}

export interface DeleteOptions extends WriteOptions {
  /** Delete only the object of this uid, not a later one of the same name. */
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}
