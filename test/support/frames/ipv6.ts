import { ipv6Bytes } from './address.ts';
import { concat, u16, u32, u8 } from './bytes.ts';
import { internetChecksum } from './checksum.ts';

export const NextHeader = {
  hopByHop: 0,
  tcp: 6,
  udp: 17,
  routing: 43,
  fragment: 44,
  icmpv6: 58,
  none: 59,
  destinationOptions: 60,
} as const;

export const Icmpv6Type = {
  echoRequest: 128,
  routerSolicitation: 133,
  routerAdvertisement: 134,
  neighbourSolicitation: 135,
  neighbourAdvertisement: 136,
} as const;

export interface Ipv6Fields {
  source: string;
  destination: string;
  nextHeader: number;
  payload?: Uint8Array;
  hopLimit?: number;
}

/** An IPv6 packet, RFC 8200. */
export function ipv6({ source, destination, nextHeader, payload, hopLimit }: Ipv6Fields): Uint8Array {
  const body = payload ?? new Uint8Array();
  const head = concat(u32(6 << 28), u16(body.length), u8(nextHeader), u8(hopLimit ?? 255));
  return concat(head, ipv6Bytes(source), ipv6Bytes(destination), body);
}

/** An ICMPv6 message, RFC 4443, checksum included. */
export function icmpv6(
  type: number,
  rest: Uint8Array,
  between: { source: string; destination: string },
): Uint8Array {
  const length = 4 + rest.length;
  const pseudo = concat(
    ipv6Bytes(between.source),
    ipv6Bytes(between.destination),
    u32(length),
    u32(NextHeader.icmpv6),
  );
  const checksum = internetChecksum(concat(pseudo, u8(type), u8(0), u16(0), rest));
  return concat(u8(type), u8(0), u16(checksum), rest);
}

/** An extension header of eight bytes, its options filled with PadN (RFC 8200 sections 4.2 to 4.6). */
export function extension(next: number, payload: Uint8Array): Uint8Array {
  return concat(u8(next), u8(0), Uint8Array.of(1, 4, 0, 0, 0, 0), payload);
}

/** A fragment header, RFC 8200 section 4.5. */
export function fragmentHeader(next: number, offset: number, more: boolean, payload: Uint8Array): Uint8Array {
  return concat(u8(next), u8(0), u16((offset << 3) | (more ? 1 : 0)), u32(0xfeedbeef), payload);
}
