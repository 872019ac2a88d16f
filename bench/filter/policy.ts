import { encodePolicy, type Policy } from '../../src/native/policy-abi.ts';
import { ENDPOINT, GATEWAY, GUEST } from './guest.ts';

/** What an agent writes for a VM whose class names nothing but its consumer: every frame, every rule. */
const FULL: Policy = {
  flags: { quarantined: false, strictWireGuard: true, audit: false },
  generation: 7n,
  guestMac: GUEST.mac,
  gatewayMac: GATEWAY.mac,
  guestAddress: GUEST.address,
  gatewayAddress: GATEWAY.address,
  mode: 'Filtered',
  endpoint: ENDPOINT,
  previous: null,
  // Any: it decides which frames are drawn and where flows are kept, not what that costs.
  secret: Uint8Array.from({ length: 16 }, (_, at) => at),
  limits: { egressBitsPerSecond: 0, packetsPerSecond: 0 },
  samplePerMillion: 0,
  maxPacketBytes: 1500,
  violation: { threshold: 0, windowMs: 0 },
};

export function policyBytes(changes: Partial<Policy> = {}): Uint8Array {
  return encodePolicy({ ...FULL, ...changes });
}
