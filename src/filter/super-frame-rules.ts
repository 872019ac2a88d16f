import { Ipv4Header } from '../packet/ipv4-header.ts';
import type { Ipv4Packet } from '../packet/ipv4-packet.ts';
import { UdpDatagram } from '../packet/udp-datagram.ts';
import type { Case } from './case.ts';
import type { SuperFrame } from './filtering-strategy.ts';
import { isPacketSize } from './ipv4-rules.ts';
import type { Rule } from './rule.ts';

/** UDP_MAX_SEGMENTS of Linux since 6.9; before that it was 64. */
const SEGMENTS_MAX = 128;

const HEADERS_BYTES = Ipv4Header.LEAST_BYTES + UdpDatagram.HEADER_BYTES;

/** A frame that somebody else will cut into packets. */
export interface Uncut {
  readonly its: Case;
  readonly superFrame: SuperFrame;
  readonly packet: Ipv4Packet;
  readonly datagram: UdpDatagram;
}

/**
 * It will be cut into whole datagrams of the size that is told: no padding behind it, for the cutter would make packets of
 * that too, and not more pieces than the kernel makes.
 */
export const SUPER_FRAME_RULES: readonly Rule<Uncut>[] = [
  ['SuperFrame', ({ superFrame }) => superFrame.kind === 'udp' && superFrame.segmentBytes > 0],
  ['SuperFrame', ({ datagram }) => datagram.payload.length > 0],
  ['SuperFrame', ({ packet }) => packet.padding.length === 0],
  ['SuperFrame', (uncut) => uncut.datagram.payload.length <= segmentBytesOf(uncut) * SEGMENTS_MAX],
  ['PacketTooBig', (uncut) => isPacketSize(HEADERS_BYTES + largestSegmentOf(uncut), uncut.its)],
];

function segmentBytesOf({ superFrame }: Uncut): number {
  return superFrame.kind === 'udp' ? superFrame.segmentBytes : 0;
}

function largestSegmentOf(uncut: Uncut): number {
  return Math.min(segmentBytesOf(uncut), uncut.datagram.payload.length);
}

/** The payloads that leave the host: of a super-frame those of its segments, else the one there is. Views. */
export function payloadsOf(payload: Uint8Array, superFrame: SuperFrame | null): Uint8Array[] {
  if (superFrame?.kind !== 'udp') return [payload];
  const { segmentBytes } = superFrame;
  const segments = Math.ceil(payload.length / segmentBytes);
  return Array.from({ length: segments }, (_, index) =>
    payload.subarray(index * segmentBytes, (index + 1) * segmentBytes),
  );
}
