import { IpProtocol } from './ipv4-header.ts';
import type { Ipv4Packet } from './ipv4-packet.ts';
import { readU16, readU8 } from './network-order.ts';
import { ParseFailure } from './parse-failure.ts';

/** As much of a TCP segment as is needed to say who speaks to whom, RFC 9293, 3.1. No TCP passes any filter. */
export class TcpSegment {
  static readonly LEAST_BYTES = 20;

  readonly sourcePort: number;
  readonly destinationPort: number;
  /** 20 to 60, a multiple of 4. */
  readonly headerBytes: number;
  /** A view. */
  readonly payload: Uint8Array;

  private constructor(bytes: Uint8Array, headerBytes: number) {
    this.sourcePort = readU16(bytes, 0);
    this.destinationPort = readU16(bytes, 2);
    this.headerBytes = headerBytes;
    this.payload = bytes.subarray(headerBytes);
    Object.freeze(this);
  }

  /** Fails with OtherProtocol, LaterFragment, TcpTooShort or TcpHeaderLength. */
  static in(packet: Ipv4Packet): TcpSegment | ParseFailure {
    const bytes = packet.payload;
    if (packet.header.protocol !== IpProtocol.TCP) return new ParseFailure('OtherProtocol', bytes.length);
    if (packet.header.isLaterFragment) return new ParseFailure('LaterFragment', bytes.length);
    if (bytes.length < TcpSegment.LEAST_BYTES) return new ParseFailure('TcpTooShort', bytes.length);

    const headerBytes = (readU8(bytes, 12) >>> 4) * 4;
    if (headerBytes < TcpSegment.LEAST_BYTES || headerBytes > bytes.length)
      return new ParseFailure('TcpHeaderLength', bytes.length);
    return new TcpSegment(bytes, headerBytes);
  }
}
