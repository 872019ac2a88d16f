import type { Policy } from '../../../../src/native/policy-abi.ts';
import { GATEWAY_MAC, GUEST_MAC } from '../frame-builder.ts';

/** A policy whose guest and endpoint are those of frame-builder.ts. */
export function policy(change: Partial<Policy> = {}): Policy {
  return {
    flags: { quarantined: false, strictWireGuard: true, audit: false },
    generation: 1n,
    guestMac: GUEST_MAC,
    gatewayMac: GATEWAY_MAC,
    guestAddress: '100.64.0.5',
    gatewayAddress: '169.254.1.1',
    mode: 'Filtered',
    endpoint: { address: '203.0.113.10', port: 51900 },
    previous: null,
    secret: new Uint8Array(16).fill(7),
    limits: { egressBitsPerSecond: 0, packetsPerSecond: 0 },
    samplePerMillion: 0,
    maxPacketBytes: 1500,
    violation: { threshold: 0, windowMs: 0 },
    ...change,
  };
}
