import type { KubeObject, ResourceType } from '../resource.ts';

export const EVENT: ResourceType = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};

/** https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1 */
export interface KubeEvent extends KubeObject {
  /** MicroTime of the first occurrence. */
  eventTime: string;
  reportingController: string;
  reportingInstance: string;
  /** What was done or not done about it. */
  action: string;
  /** Why, in one word of CamelCase. */
  reason: string;
  regarding: ObjectReference;
  related?: ObjectReference;
  note: string;
  type: EventType;
  /** Absent while it occurred once. */
  series?: { count: number; lastObservedTime: string };
}

export type EventType = 'Normal' | 'Warning';

export interface ObjectReference {
  apiVersion: string;
  kind: string;
  namespace?: string;
  name: string;
  uid?: string;
  resourceVersion?: string;
}

export function referenceTo(object: KubeObject): ObjectReference {
  const { namespace, name, uid, resourceVersion } = object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    ...(namespace === undefined ? {} : { namespace }),
    name,
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}
