import { ipv4Bytes } from './address.ts';
import { concat, u16, u8 } from './bytes.ts';
import { internetChecksum } from './checksum.ts';

/** IP protocol numbers, from the IANA registry. */
export const Protocol = {
  hopByHop: 0,
  icmp: 1,
  igmp: 2,
  ipInIp: 4,
  tcp: 6,
  udp: 17,
  ipv6: 41,
  gre: 47,
  esp: 50,
  sctp: 132,
  udpLite: 136,
  reserved: 255,
} as const;

export interface Ipv4Fields {
  source: string;
  destination: string;
  protocol: number;
  payload?: Uint8Array;
  version?: number;
  /** In 32-bit words; what the options need unless said otherwise. */
  headerWords?: number;
  typeOfService?: number;
  /** Bytes; header and payload unless said otherwise. */
  totalLength?: number;
  identification?: number;
  /** The bit RFC 791 reserves (and RFC 3514 makes fun of). */
  reservedFlag?: boolean;
  dontFragment?: boolean;
  moreFragments?: boolean;
  /** In units of 8 bytes, as on the wire. */
  fragmentOffset?: number;
  ttl?: number;
  /** The right one unless said otherwise. */
  checksum?: number;
  /** Padded with "end of options" to a whole word. */
  options?: Uint8Array;
}

/** An IPv4 packet, RFC 791. */
export function ipv4(fields: Ipv4Fields): Uint8Array {
  const options = fields.options ?? new Uint8Array();
  const padding = new Uint8Array((4 - (options.length % 4)) % 4);
  const payload = fields.payload ?? new Uint8Array();
  const headerBytes = 20 + options.length + padding.length;
  const flags =
    (fields.reservedFlag === true ? 0x8000 : 0) |
    (fields.dontFragment === true ? 0x4000 : 0) |
    (fields.moreFragments === true ? 0x2000 : 0);
  const before = concat(
    u8(((fields.version ?? 4) << 4) | (fields.headerWords ?? headerBytes / 4)),
    u8(fields.typeOfService ?? 0),
    u16(fields.totalLength ?? headerBytes + payload.length),
    u16(fields.identification ?? 0x1234),
    u16(flags | (fields.fragmentOffset ?? 0)),
    u8(fields.ttl ?? 64),
    u8(fields.protocol),
  );
  const after = concat(ipv4Bytes(fields.source), ipv4Bytes(fields.destination), options, padding);
  const checksum = fields.checksum ?? internetChecksum(concat(before, u16(0), after));
  return concat(before, u16(checksum), after, payload);
}

/** IPv4 options, RFC 791 section 3.1 and RFC 2113. */
export const Ipv4Option = {
  noOperation: Uint8Array.of(1),
  looseSourceRoute: (...hops: string[]) => route(131, hops),
  strictSourceRoute: (...hops: string[]) => route(137, hops),
  recordRoute: (...hops: string[]) => route(7, hops),
  timestamp: Uint8Array.of(68, 8, 5, 0, 0, 0, 0, 0),
  routerAlert: Uint8Array.of(148, 4, 0, 0),
  security: Uint8Array.of(130, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0),
} as const;

function route(type: number, hops: readonly string[]): Uint8Array {
  return concat(Uint8Array.of(type, 3 + 4 * hops.length, 4), ...hops.map(ipv4Bytes));
}
