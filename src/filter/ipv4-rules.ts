import type { Ipv4Header } from '../packet/ipv4-header.ts';
import type { Ipv4Packet } from '../packet/ipv4-packet.ts';
import type { ParseFailureReason } from '../packet/parse-failure.ts';
import type { Case } from './case.ts';
import type { Rule } from './rule.ts';
import type { ReasonName } from './verdict.ts';

/** What a header that cannot be read is dropped for. */
export function headerFailure(reason: ParseFailureReason): ReasonName {
  switch (reason) {
    case 'IpVersion':
    case 'IpHeaderLength':
      return reason;
    default:
      return 'FrameTooShort';
  }
}

/** Before the total length is looked at. Options carry source routes, and nobody needs them. */
export const HEADER_RULES: readonly Rule<Ipv4Header>[] = [
  ['IpOptions', (header) => header.options.length === 0],
];

export interface Carried {
  readonly its: Case;
  readonly packet: Ipv4Packet;
}

/**
 * A whole, undamaged packet that may still travel. The reserved bit is a fragment's flag that nobody may set. A
 * super-frame is longer than any of the packets that it becomes; those are looked at by its own rules.
 */
export const PACKET_RULES: readonly Rule<Carried>[] = [
  ['IpFragment', ({ packet: { header } }) => !header.isFragment && !header.reservedFlag],
  ['IpChecksum', ({ packet: { header } }) => header.checksumIsRight],
  ['IpTtl', ({ packet: { header } }) => header.timeToLive > 0],
  [
    'PacketTooBig',
    ({ its, packet: { header } }) =>
      its.circumstances.superFrame !== null || isPacketSize(header.totalBytes, its),
  ],
  // A guest that goes by another name is told so first; who may speak to it is asked when the ports are known.
  [
    'SourceAddress',
    ({ its, packet: { header } }) => its.direction === 'to-vm' || isGuest(header.source, its),
  ],
];

/** Whether one packet may be so long. */
export function isPacketSize(bytes: number, { policy }: Case): boolean {
  return policy.maxPacketBytes === 0 || bytes <= policy.maxPacketBytes;
}

export function isGuest(address: Ipv4Header['source'], { policy }: Case): boolean {
  return address.equals(policy.guestAddress);
}
