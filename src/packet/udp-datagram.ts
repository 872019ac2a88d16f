import { IpProtocol } from './ipv4-header.ts';
import type { Ipv4Packet } from './ipv4-packet.ts';
import { ByteWriter, readU16 } from './network-order.ts';
import { ParseFailure } from './parse-failure.ts';

/** A UDP datagram, RFC 768; of a first fragment, its beginning. */
export class UdpDatagram {
  static readonly HEADER_BYTES = 8;

  readonly sourcePort: number;
  readonly destinationPort: number;
  /** The length field: header and payload. In a first fragment it counts what the later ones bring, too. */
  readonly udpBytes: number;
  readonly checksum: number;
  /** Up to the length field; a view. */
  readonly payload: Uint8Array;
  /** What the packet holds beyond the length field; a view, empty in an honest packet. */
  readonly surplus: Uint8Array;

  private constructor(bytes: Uint8Array) {
    this.sourcePort = readU16(bytes, 0);
    this.destinationPort = readU16(bytes, 2);
    this.udpBytes = readU16(bytes, 4);
    this.checksum = readU16(bytes, 6);
    this.payload = bytes.subarray(UdpDatagram.HEADER_BYTES, this.udpBytes);
    this.surplus = bytes.subarray(this.udpBytes);
    Object.freeze(this);
  }

  /** Fails with OtherProtocol, LaterFragment, UdpTooShort, or UdpLength (under 8, or past the packet). */
  static in(packet: Ipv4Packet): UdpDatagram | ParseFailure {
    const bytes = packet.payload;
    if (packet.header.protocol !== IpProtocol.UDP) return new ParseFailure('OtherProtocol', bytes.length);
    if (packet.header.isLaterFragment) return new ParseFailure('LaterFragment', bytes.length);
    if (bytes.length < UdpDatagram.HEADER_BYTES) return new ParseFailure('UdpTooShort', bytes.length);

    const udpBytes = readU16(bytes, 4);
    const pastThePacket = udpBytes > bytes.length && !packet.header.isFragment;
    if (udpBytes < UdpDatagram.HEADER_BYTES || pastThePacket)
      return new ParseFailure('UdpLength', bytes.length);
    return new UdpDatagram(bytes);
  }

  serialise(): Uint8Array {
    return new ByteWriter(UdpDatagram.HEADER_BYTES + this.payload.length + this.surplus.length)
      .u16(this.sourcePort)
      .u16(this.destinationPort)
      .u16(this.udpBytes)
      .u16(this.checksum)
      .raw(this.payload)
      .raw(this.surplus)
      .finish();
  }
}
