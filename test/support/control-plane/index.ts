export { anyCluster, testCluster, type Lease } from './any-cluster.ts';
export { Cluster, type Identity, type ServiceAccount } from './cluster.ts';
export { ControlPlane, type ControlPlaneOptions } from './control-plane.ts';
export { isWatch, isWrite, type Fault, type FaultRule } from './fault.ts';
export { FaultProxy } from './fault-proxy.ts';
export { k3sRequirement } from './k3s.ts';
export { parseManifests } from './manifests.ts';
export { needsCluster, needsControlPlane } from './requirement.ts';
export type { SeenRequest, Verb } from './seen-request.ts';
