import type { Explanation } from '../../../../src/cli/explain/judge/explanation.ts';
import { GATEWAY_MAC, GUEST_MAC } from '../frame-builder.ts';

/** A line about an allowed handshake. */
export function explanation(change: Partial<Explanation> = {}): Explanation {
  return {
    index: 0,
    number: 1,
    time: null,
    direction: 'from-vm',
    engine: 'c',
    verdict: 'allow',
    reason: 'Allowed',
    reasonCode: 0,
    audited: false,
    decidingField: 'endpoint',
    found: '203.0.113.10:51900',
    wanted: null,
    rule: 'UDP between the pinned guest and the endpoint in force passes',
    summary: 'IPv4 100.64.0.5:41000 > 203.0.113.10:51900 UDP 148 bytes WireGuard handshake initiation',
    sourceMac: GUEST_MAC,
    destinationMac: GATEWAY_MAC,
    frameBytes: 190,
    capturedBytes: 190,
    ...change,
  };
}
