import { ipv4Bytes } from './address.ts';
import { concat, u16, u32, u8 } from './bytes.ts';
import { internetChecksum } from './checksum.ts';
import { Protocol } from './ipv4.ts';

export const TcpFlag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;

export interface TcpFields {
  sourcePort: number;
  destinationPort: number;
  source: string;
  destination: string;
  flags?: number;
  payload?: Uint8Array;
}

/** A TCP segment without options, RFC 9293. */
export function tcp(fields: TcpFields): Uint8Array {
  const payload = fields.payload ?? new Uint8Array();
  const before = concat(
    u16(fields.sourcePort),
    u16(fields.destinationPort),
    u32(0x01020304),
    u32(0),
    u8(5 << 4),
    u8(fields.flags ?? TcpFlag.syn),
    u16(64240),
  );
  const pseudo = concat(
    ipv4Bytes(fields.source),
    ipv4Bytes(fields.destination),
    u16(Protocol.tcp),
    u16(20 + payload.length),
  );
  const checksum = internetChecksum(concat(pseudo, before, u16(0), u16(0), payload));
  return concat(before, u16(checksum), u16(0), payload);
}
