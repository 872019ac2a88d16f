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
export type { VmNetworkClass, VmNetworkClassInput, VmNetworkClassSpec } from './vm-network-class.ts';
export { classObjections } from './class-objections.ts';
export type { ClassObjection } from './class-objections.ts';
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
export { vmNameSchema } from './selector.ts';
export type { Selector } from './selector.ts';
export { effectiveViolationAction } from './violation.ts';
export type { Violation, ViolationAction } from './violation.ts';
export { CONDITION_REASONS, CONDITION_TYPES } from './conditions.ts';
export type { Condition, ConditionReason, ConditionStatus, ConditionType } from './conditions.ts';
