import { Ipv4Header } from '../packet/ipv4-header.ts';
import type { Ipv4Packet } from '../packet/ipv4-packet.ts';
import { failed, type ParseFailureReason } from '../packet/parse-failure.ts';
import { UdpDatagram } from '../packet/udp-datagram.ts';
import { EthernetFrame } from '../packet/ethernet-frame.ts';
import type { Circumstances } from './filtering-strategy.ts';
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

/** A whole, undamaged packet that may still travel. The reserved bit is a fragment's flag that nobody may set. */
export const PACKET_RULES: readonly Rule<Ipv4Packet>[] = [
  ['IpFragment', ({ header }) => !header.isFragment && !header.reservedFlag],
  ['IpChecksum', ({ header }) => header.checksumIsRight],
  ['IpTtl', ({ header }) => header.timeToLive > 0],
];

/** The only place where a checksum may be pending: UDP's own field. */
const UDP_CHECKSUM_AT = EthernetFrame.HEADER_BYTES + Ipv4Header.LEAST_BYTES + 6;

export interface Carried {
  readonly packet: Ipv4Packet;
  readonly circumstances: Circumstances;
}

/** The datagram fills its packet exactly, is one, and stays as it was judged but for its checksum. */
export const DATAGRAM_RULES: readonly Rule<Carried>[] = [
  ['UdpLength', ({ packet }) => fillsItsPacket(packet)],
  [
    'ChecksumOffload',
    ({ circumstances: { pendingChecksumAt: at } }) => at === null || at === UDP_CHECKSUM_AT,
  ],
  ['SuperFrame', ({ circumstances }) => !circumstances.superFrame],
];

function fillsItsPacket(packet: Ipv4Packet): boolean {
  const datagram = UdpDatagram.in(packet);
  return !failed(datagram) && datagram.surplus.length === 0;
}
