import { EthernetFrame } from '../packet/ethernet-frame.ts';
import { IpProtocol } from '../packet/ipv4-header.ts';
import type { Ipv4Packet } from '../packet/ipv4-packet.ts';
import type { Case } from './case.ts';

/** Where a transport header has its own checksum, in bytes from its start (RFC 768, RFC 9293). */
const IN_HEADER: Readonly<Record<number, number>> = { [IpProtocol.UDP]: 6, [IpProtocol.TCP]: 16 };

/**
 * Whether what somebody else will still write into the frame is its own checksum, if anything: the sender of a frame
 * chooses the place, and could have its ports rewritten after it was judged (docs/adr/0009).
 */
export function checksumStaysInPlace(
  { circumstances: { pendingChecksumAt } }: Case,
  packet: Ipv4Packet,
): boolean {
  if (pendingChecksumAt === null) return true;
  const inHeader = IN_HEADER[packet.header.protocol];
  return (
    inHeader !== undefined &&
    pendingChecksumAt === EthernetFrame.HEADER_BYTES + packet.payloadOffset + inHeader
  );
}
