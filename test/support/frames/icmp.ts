import { concat, u16, u8 } from './bytes.ts';
import { internetChecksum } from './checksum.ts';

export const IcmpType = {
  echoReply: 0,
  unreachable: 3,
  redirect: 5,
  echoRequest: 8,
  routerAdvertisement: 9,
} as const;

/** An ICMP message, RFC 792. `rest` is everything after the checksum. */
export function icmp(type: number, code: number, rest: Uint8Array): Uint8Array {
  const checksum = internetChecksum(concat(u8(type), u8(code), u16(0), rest));
  return concat(u8(type), u8(code), u16(checksum), rest);
}
