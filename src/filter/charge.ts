import { EthernetFrame } from '../packet/ethernet-frame.ts';
import { Ipv4Header } from '../packet/ipv4-header.ts';
import { UdpDatagram } from '../packet/udp-datagram.ts';
import type { SuperFrame } from './filtering-strategy.ts';
import type { Charge } from './rate-limiter.ts';

const LOWER_BYTES = EthernetFrame.HEADER_BYTES + Ipv4Header.LEAST_BYTES;
const HEADERS_BYTES = LOWER_BYTES + UdpDatagram.HEADER_BYTES;

/** Those of TCP are taken as the largest there are. */
const LARGEST_TCP_BYTES = 60;

/** What a frame counts as against the limits of its VM: itself, or the packets that it becomes, each with its headers. */
export function chargeOf(frame: Uint8Array, superFrame: SuperFrame | null): Charge {
  const packets = packetsIn(frame.length, superFrame);
  const headersBytes = superFrame?.kind === 'udp' ? HEADERS_BYTES : LOWER_BYTES + LARGEST_TCP_BYTES;
  return { bits: 8 * (frame.length + (packets - 1) * headersBytes), packets };
}

function packetsIn(frameBytes: number, superFrame: SuperFrame | null): number {
  if (superFrame === null || superFrame.kind === 'other') return 1;
  if (superFrame.segmentBytes === 0 || frameBytes <= HEADERS_BYTES) return 1;
  return Math.ceil((frameBytes - HEADERS_BYTES) / superFrame.segmentBytes);
}
