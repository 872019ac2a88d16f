/** Where objects of the kinds that the tests touch live on the API server. */
export interface Kind {
  /** `/api/v1` or `/apis/GROUP/VERSION` */
  readonly root: string;
  readonly plural: string;
}

export interface Place {
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: 'status' | 'token';
}

const OURS = '/apis/vmnetwork.io/v1alpha1';

export const NETWORKS: Kind = { root: OURS, plural: 'vmnetworks' };
export const CLASSES: Kind = { root: OURS, plural: 'vmnetworkclasses' };
export const ATTACHMENTS: Kind = { root: OURS, plural: 'vmnetworkattachments' };
export const VM_NODES: Kind = { root: OURS, plural: 'vmnetworknodes' };
export const LEASES: Kind = { root: '/apis/coordination.k8s.io/v1', plural: 'leases' };
export const EVENTS: Kind = { root: '/apis/events.k8s.io/v1', plural: 'events' };
export const NODES: Kind = { root: '/api/v1', plural: 'nodes' };
export const NAMESPACES: Kind = { root: '/api/v1', plural: 'namespaces' };
export const SECRETS: Kind = { root: '/api/v1', plural: 'secrets' };
export const SERVICE_ACCOUNTS: Kind = { root: '/api/v1', plural: 'serviceaccounts' };
export const CRDS: Kind = { root: '/apis/apiextensions.k8s.io/v1', plural: 'customresourcedefinitions' };

export function pathOf({ root, plural }: Kind, { namespace, name, subresource }: Place): string {
  const parts = [
    ...(namespace === undefined ? [] : ['namespaces', namespace]),
    plural,
    ...(name === undefined ? [] : [name]),
    ...(subresource === undefined ? [] : [subresource]),
  ];
  return `${root}/${parts.map(encodeURIComponent).join('/')}`;
}
