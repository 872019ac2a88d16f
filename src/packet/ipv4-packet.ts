import { Ipv4Header } from './ipv4-header.ts';
import { ByteWriter } from './network-order.ts';
import { failed, ParseFailure } from './parse-failure.ts';

/** An IPv4 packet whose total length is true: at least its header, at most what the frame holds. RFC 791. */
export class Ipv4Packet {
  readonly header: Ipv4Header;
  /** From the header to the total length; a view. */
  readonly payload: Uint8Array;
  /** What follows the packet in its frame, such as zeros up to Ethernet's least length; a view. */
  readonly padding: Uint8Array;

  private constructor(header: Ipv4Header, bytes: Uint8Array) {
    this.header = header;
    this.payload = bytes.subarray(header.headerBytes, header.totalBytes);
    this.padding = bytes.subarray(header.totalBytes);
    Object.freeze(this);
  }

  /** `bytes`: from the header to the end of the frame. Fails as Ipv4Header.parse does, or with IpTotalLength. */
  static parse(bytes: Uint8Array): Ipv4Packet | ParseFailure {
    const header = Ipv4Header.parse(bytes);
    return failed(header) ? header : Ipv4Packet.behind(header, bytes);
  }

  /** The packet that a header, parsed from the same bytes, belongs to. Fails with IpTotalLength. */
  static behind(header: Ipv4Header, bytes: Uint8Array): Ipv4Packet | ParseFailure {
    if (header.totalBytes < header.headerBytes || header.totalBytes > bytes.length)
      return new ParseFailure('IpTotalLength', bytes.length);
    return new Ipv4Packet(header, bytes);
  }

  /** Where the payload begins, in bytes from the start of the packet. */
  get payloadOffset(): number {
    return this.header.headerBytes;
  }

  serialise(): Uint8Array {
    return new ByteWriter(this.header.totalBytes + this.padding.length)
      .raw(this.header.serialise())
      .raw(this.payload)
      .raw(this.padding)
      .finish();
  }
}
