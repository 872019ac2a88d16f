import type { VmNetwork, VmNetworkAttachment, VmNetworkClass, VmNetworkNode } from '../api/v1alpha1/index.ts';
import { API_VERSION, GROUP, VERSION } from '../api/v1alpha1/group-version.ts';
import type { KubeObject, ResourceType } from '../kube/resource.ts';

/** Of the leader, and one of each host. */
export { LEASE as LEASES, type Lease } from '../kube/leader-election/lease.ts';

/** An object as the API server gives it: our spec and status under Kubernetes' own metadata. */
type InCluster<T> = Omit<T, 'metadata' | 'apiVersion' | 'kind'> & KubeObject;

export type Network = InCluster<VmNetwork>;
export type NetworkClass = InCluster<VmNetworkClass>;
export type Attachment = InCluster<VmNetworkAttachment>;
export type HostNode = InCluster<VmNetworkNode>;

/** A Kubernetes Node, as far as it tells addresses. */
export interface ClusterNode extends KubeObject {
  spec?: { podCIDR?: string; podCIDRs?: string[] };
  status?: { addresses?: { type: string; address: string }[] };
}

export interface ServiceCidr extends KubeObject {
  spec?: { cidrs?: string[] };
}

export interface Secret extends KubeObject {
  /** Values in base64. */
  data?: Record<string, string>;
}

/** A CustomResourceDefinition, as far as it tells whether it is in force. */
export interface Definition extends KubeObject {
  status?: { conditions?: { type: string; status: string }[] };
}

export const NETWORKS = ours('vmnetworks', 'VMNetwork', true);
export const CLASSES = ours('vmnetworkclasses', 'VMNetworkClass', false);
export const ATTACHMENTS = ours('vmnetworkattachments', 'VMNetworkAttachment', true);
export const HOST_NODES = ours('vmnetworknodes', 'VMNetworkNode', false);
export const CLUSTER_NODES: ResourceType = {
  group: '',
  version: 'v1',
  plural: 'nodes',
  kind: 'Node',
  namespaced: false,
};
export const SERVICE_CIDRS: ResourceType = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'servicecidrs',
  kind: 'ServiceCIDR',
  namespaced: false,
};
export const DEFINITIONS: ResourceType = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};
export const SECRETS: ResourceType = {
  group: '',
  version: 'v1',
  plural: 'secrets',
  kind: 'Secret',
  namespaced: true,
};

/** What the API server records as the writer of our fields. */
export const FIELD_MANAGER = 'vmnetwork-controller';

/**
 * On a VMNetwork: its hosts have not all said yet that they deny its VMs. On a VMNetworkAttachment: its host has not said
 * so yet. Added and removed by the controller only.
 */
export const CLOSED_FINALIZER = `${GROUP}/closed`;

/**
 * Annotation of a VMNetworkAttachment: when the VMNetworkNode of its host was made, the one that was seen last. It proves
 * that there was one, see `vmnetwork/missing-hosts.ts`.
 */
export const HOST_SINCE = `${GROUP}/host-since`;

export { API_VERSION };

function ours(plural: string, kind: string, namespaced: boolean): ResourceType {
  return { group: GROUP, version: VERSION, plural, kind, namespaced };
}
