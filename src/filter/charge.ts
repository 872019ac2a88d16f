import { EthernetFrame } from '../packet/ethernet-frame.ts';
import { Ipv4Header } from '../packet/ipv4-header.ts';
import { UdpDatagram } from '../packet/udp-datagram.ts';
import type { SuperFrame } from './filtering-strategy.ts';
import type { Charge } from './rate-limiter.ts';

const HEADERS_BYTES = EthernetFrame.HEADER_BYTES + Ipv4Header.LEAST_BYTES + UdpDatagram.HEADER_BYTES;

/** What a frame counts as against the limits of its VM: itself, or the packets that it becomes, each with its headers. */
export function chargeOf(frame: Uint8Array, superFrame: SuperFrame | null): Charge {
  const packets = packetsIn(frame.length, superFrame);
  return { bits: 8 * (frame.length + (packets - 1) * HEADERS_BYTES), packets };
}

function packetsIn(frameBytes: number, superFrame: SuperFrame | null): number {
  if (superFrame?.kind !== 'udp' || superFrame.segmentBytes === 0 || frameBytes <= HEADERS_BYTES) return 1;
  return Math.ceil((frameBytes - HEADERS_BYTES) / superFrame.segmentBytes);
}
