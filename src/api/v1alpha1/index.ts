export { API_VERSION, GROUP, VERSION } from './group-version.ts';
export { vmNetworkSchema } from './vm-network.ts';
export type {
  VmNetwork,
  VmNetworkInput,
  VmNetworkSpec,
  VmNetworkSpecInput,
  VmNetworkStatus,
} from './vm-network.ts';
export { effectiveRatePerMillion } from './vm-network-spec.ts';
export { builtInClass, vmNetworkClassSchema } from './vm-network-class.ts';
export type {
  VmNetworkClass,
  VmNetworkClassInput,
  VmNetworkClassSpec,
  VmNetworkClassStatus,
} from './vm-network-class.ts';
export { vmNetworkAttachmentSchema } from './vm-network-attachment.ts';
export type {
  VmNetworkAttachment,
  VmNetworkAttachmentInput,
  VmNetworkAttachmentSpec,
  VmNetworkAttachmentStatus,
} from './vm-network-attachment.ts';
export { vmNetworkAttachmentSpecSchema } from './vm-network-attachment-spec.ts';
export { ENGINES, vmNetworkAttachmentStatusSchema } from './vm-network-attachment-status.ts';
export type { Engine } from './vm-network-attachment-status.ts';
export { resolvedPolicySchema } from './resolved-policy.ts';
export type { ResolvedPolicy } from './resolved-policy.ts';
export { vmNetworkNodeSchema } from './vm-network-node.ts';
export type { VmNetworkNode, VmNetworkNodeInput, VmNetworkNodeStatus } from './vm-network-node.ts';
export { vmNetworkNodeStatusSchema } from './vm-network-node-status.ts';
export { virtualMachineSchema } from './virtual-machine.ts';
export type { VirtualMachine, VirtualMachineInterface } from './virtual-machine.ts';
export { classObjections } from './class-objections.ts';
export type { Objection } from './class-objections.ts';
export {
  formatIpv4Address,
  ipv4AddressSchema,
  ipv4AddressToNumber,
  parseIpv4Address,
} from './ipv4-address.ts';
export type { Ipv4Address } from './ipv4-address.ts';
export { cidrContains, cidrSchema, networkAddress, networkCidrSchema, parseCidr } from './cidr.ts';
export type { Cidr, ParsedCidr } from './cidr.ts';
export { macAddressSchema, parseMacAddress } from './mac-address.ts';
export type { MacAddress } from './mac-address.ts';
export { portSchema } from './port.ts';
export type { Port } from './port.ts';
export { wireGuardKeySchema } from './wireguard-key.ts';
export type { WireGuardKey } from './wireguard-key.ts';
export { consumerEndpointSchema } from './consumer-endpoint.ts';
export type { ConsumerEndpoint } from './consumer-endpoint.ts';
export { MODES } from './mode.ts';
export type { Mode } from './mode.ts';
export { effectiveLimits } from './limits.ts';
export type { Limits } from './limits.ts';
export { vmNameSchema } from './vm-name.ts';
export type { Selector } from './selector.ts';
export { effectiveViolationAction } from './violation.ts';
export type { Violation, ViolationAction } from './violation.ts';
export { CONDITION_REASONS, CONDITION_TYPES } from './conditions.ts';
export type { Condition, ConditionReason, ConditionStatus, ConditionType } from './conditions.ts';
