/** What the API server serves, and how it is addressed. Knows no kind in particular. */

/** One kind of object, as the API server serves it. */
export interface ResourceType {
  /** API group; '' is the core group. */
  readonly group: string;
  readonly version: string;
  /** Name of the collection in paths, for example `leases`. */
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  /** Opaque but for comparing for equality; see `reflector/resource-version.ts`. */
  resourceVersion?: string;
  /** Moves with each change of the spec. */
  generation?: number;
  /** RFC 3339. */
  creationTimestamp?: string;
  /** RFC 3339; the object goes once its finalizers are gone. */
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
}

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

export interface ObjectRef {
  readonly name: string;
  readonly namespace?: string | undefined;
}

/** `namespace/name`, or `name` of what lives in no namespace: what queues and stores carry. */
export function keyOf(object: KubeObject | ObjectRef): string {
  const { name, namespace } = 'metadata' in object ? object.metadata : object;
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

/** The opposite of `keyOf`. */
export function refOf(key: string): ObjectRef {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** `group/version`, or `v1` of the core group. */
export function apiVersionOf(type: ResourceType): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`;
}

/** `leases.coordination.k8s.io`, as people and RBAC name it. */
export function resourceName(type: ResourceType): string {
  return type.group === '' ? type.plural : `${type.plural}.${type.group}`;
}

/** Path of the collection; without a namespace, of all namespaces. */
export function collectionPath(type: ResourceType, namespace?: string): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  if (namespace === undefined) return `${root}/${type.plural}`;
  if (!type.namespaced)
    throw new TypeError(`${resourceName(type)} lives in no namespace, got "${namespace}"`);
  return `${root}/namespaces/${segment('namespace', namespace)}/${type.plural}`;
}

/** Path of one object. A namespaced type without a namespace is a mistake of the caller. */
export function objectPath(type: ResourceType, ref: ObjectRef, subresource?: string): string {
  if (type.namespaced && ref.namespace === undefined) {
    throw new TypeError(`${resourceName(type)} "${ref.name}" needs a namespace`);
  }
  const path = `${collectionPath(type, ref.namespace)}/${segment('name', ref.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

/**
 * An empty name would address the whole collection (a DELETE of all!), and dots or slashes another object. These are
 * also what the API server allows in no name (`IsValidPathSegmentName`).
 */
function segment(field: string, value: string): string {
  if (value === '' || value === '.' || value === '..' || /[/%]/.test(value)) {
    throw new TypeError(`${field} ${JSON.stringify(value)} cannot be part of a path; use a DNS-1123 name`);
  }
  return encodeURIComponent(value);
}
