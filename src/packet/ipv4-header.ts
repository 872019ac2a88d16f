import { internetChecksum } from './internet-checksum.ts';
import { Ipv4Address } from './ipv4-address.ts';
import { ByteWriter, readU16, readU8 } from './network-order.ts';
import { ParseFailure } from './parse-failure.ts';

/** IP protocol numbers that mean something to us, from the IANA registry. */
export const IpProtocol = { ICMP: 1, TCP: 6, UDP: 17 } as const;

/** The header of an IPv4 packet, RFC 791, 3.1. Whether its total length is true is the packet's question. */
export class Ipv4Header {
  static readonly LEAST_BYTES = 20;

  /** 20 to 60, a multiple of 4. */
  readonly headerBytes: number;
  readonly typeOfService: number;
  /** Of header and payload, as the sender claims. */
  readonly totalBytes: number;
  readonly identification: number;
  /** The bit that must be zero. */
  readonly reservedFlag: boolean;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** In bytes, a multiple of 8. */
  readonly fragmentOffset: number;
  readonly timeToLive: number;
  readonly protocol: number;
  readonly checksum: number;
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  /** 0 to 40 bytes; a view. */
  readonly options: Uint8Array;

  private constructor(bytes: Uint8Array, headerBytes: number) {
    const fragment = readU16(bytes, 6);

    this.headerBytes = headerBytes;
    this.typeOfService = readU8(bytes, 1);
    this.totalBytes = readU16(bytes, 2);
    this.identification = readU16(bytes, 4);
    this.reservedFlag = (fragment & 0x8000) !== 0;
    this.dontFragment = (fragment & 0x4000) !== 0;
    this.moreFragments = (fragment & 0x2000) !== 0;
    this.fragmentOffset = (fragment & 0x1fff) * 8;
    this.timeToLive = readU8(bytes, 8);
    this.protocol = readU8(bytes, 9);
    this.checksum = readU16(bytes, 10);
    this.source = Ipv4Address.at(bytes, 12);
    this.destination = Ipv4Address.at(bytes, 16);
    this.options = bytes.subarray(Ipv4Header.LEAST_BYTES, headerBytes);
    Object.freeze(this);
  }

  /** `bytes`: from the header to the end of the frame. Fails with IpTooShort, IpVersion or IpHeaderLength. */
  static parse(bytes: Uint8Array): Ipv4Header | ParseFailure {
    if (bytes.length < Ipv4Header.LEAST_BYTES) return new ParseFailure('IpTooShort', bytes.length);
    const first = readU8(bytes, 0);
    if (first >>> 4 !== 4) return new ParseFailure('IpVersion', bytes.length);
    const headerBytes = (first & 0x0f) * 4;
    if (headerBytes < Ipv4Header.LEAST_BYTES || headerBytes > bytes.length)
      return new ParseFailure('IpHeaderLength', bytes.length);
    return new Ipv4Header(bytes, headerBytes);
  }

  /** A piece of a datagram, the first one included. */
  get isFragment(): boolean {
    return this.moreFragments || this.fragmentOffset > 0;
  }

  /** A piece without a transport header of its own: its first bytes are never ports. */
  get isLaterFragment(): boolean {
    return this.fragmentOffset > 0;
  }

  get checksumIsRight(): boolean {
    return internetChecksum(this.serialise()) === 0;
  }

  serialise(): Uint8Array {
    const flags =
      (this.reservedFlag ? 0x8000 : 0) | (this.dontFragment ? 0x4000 : 0) | (this.moreFragments ? 0x2000 : 0);
    return new ByteWriter(this.headerBytes)
      .u8((4 << 4) | (this.headerBytes / 4))
      .u8(this.typeOfService)
      .u16(this.totalBytes)
      .u16(this.identification)
      .u16(flags | (this.fragmentOffset / 8))
      .u8(this.timeToLive)
      .u8(this.protocol)
      .u16(this.checksum)
      .raw(this.source.serialise())
      .raw(this.destination.serialise())
      .raw(this.options)
      .finish();
  }
}
