import { IpProtocol, Ipv4Header } from '../packet/ipv4-header.ts';
import type { Ipv4Packet } from '../packet/ipv4-packet.ts';
import { failed } from '../packet/parse-failure.ts';
import { TcpSegment } from '../packet/tcp-segment.ts';
import { UdpDatagram } from '../packet/udp-datagram.ts';
import type { Case } from './case.ts';
import { isPacketSize } from './ipv4-rules.ts';

/**
 * Whether a super-frame becomes whole packets of the protocol in its header, none too big, and nothing else: other kinds
 * become fragments, or what stands in an inner header. A frame that is one packet is sound.
 */
export function superFrameIsSound(its: Case, packet: Ipv4Packet): boolean {
  const { superFrame } = its.circumstances;
  if (superFrame === null) return true;
  if (superFrame.kind === 'other' || superFrame.segmentBytes === 0 || packet.padding.length > 0) return false;

  const headerBytes = transportHeaderBytes(superFrame.kind, packet);
  if (headerBytes === null) return false;
  const payloadBytes = packet.payload.length - headerBytes;
  const largest = Math.min(superFrame.segmentBytes, payloadBytes);
  return payloadBytes > 0 && isPacketSize(Ipv4Header.LEAST_BYTES + headerBytes + largest, its);
}

/** Of the protocol that the kind is about; null when the packet is of another or has no such header. */
function transportHeaderBytes(kind: 'udp' | 'tcp', packet: Ipv4Packet): number | null {
  if (kind === 'udp') return packet.header.protocol === IpProtocol.UDP ? UdpDatagram.HEADER_BYTES : null;
  const segment = TcpSegment.in(packet);
  return failed(segment) ? null : segment.headerBytes;
}
