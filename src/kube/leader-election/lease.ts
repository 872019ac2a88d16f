import type { KubeObject, ResourceType } from '../resource.ts';

export const LEASE: ResourceType = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
};

/** https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1 */
export interface Lease extends KubeObject {
  spec?: LeaseSpec;
}

export interface LeaseSpec {
  /** Empty or absent: nobody holds it. */
  holderIdentity?: string;
  /** How long after its last renewal others leave it alone, seconds. */
  leaseDurationSeconds?: number;
  /** MicroTime of the holder's wall clock, for people: the election computes nothing from it. */
  acquireTime?: string;
  /** As `acquireTime`. */
  renewTime?: string;
  /** How often it went from one holder to another. */
  leaseTransitions?: number;
}
