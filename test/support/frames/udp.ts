import { ipv4Bytes } from './address.ts';
import { concat, u16 } from './bytes.ts';
import { internetChecksum } from './checksum.ts';
import { Protocol } from './ipv4.ts';

export interface UdpFields {
  sourcePort: number;
  destinationPort: number;
  payload?: Uint8Array;
  /** Bytes; header and payload unless said otherwise. */
  length?: number;
  /** 0, "none computed" (allowed over IPv4), unless said otherwise or addresses are given. */
  checksum?: number;
  /** Addresses for the pseudo-header; with them the checksum is the right one. */
  between?: { source: string; destination: string };
}

/** A UDP datagram, RFC 768. */
export function udp(fields: UdpFields): Uint8Array {
  const payload = fields.payload ?? new Uint8Array();
  const length = fields.length ?? 8 + payload.length;
  const ports = concat(u16(fields.sourcePort), u16(fields.destinationPort), u16(length));
  let checksum = fields.checksum ?? 0;
  if (fields.checksum === undefined && fields.between !== undefined) {
    const { source, destination } = fields.between;
    const pseudo = concat(ipv4Bytes(source), ipv4Bytes(destination), u16(Protocol.udp), u16(length));
    checksum = internetChecksum(concat(pseudo, ports, u16(0), payload)) || 0xffff;
  }
  return concat(ports, u16(checksum), payload);
}
