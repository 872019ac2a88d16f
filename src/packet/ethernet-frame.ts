import { announcesTag, EtherType, FIRST_ETHERTYPE } from './ether-type.ts';
import { MacAddress } from './mac-address.ts';
import { ByteWriter, readU16 } from './network-order.ts';
import { ParseFailure } from './parse-failure.ts';
import { vlanTag, type VlanTag } from './vlan-tag.ts';

/** Tags that are looked through. More than two have no use; what stands behind them stays unread. */
const TAGS_MAX = 2;

export type FrameKind = 'IPv4' | 'ARP' | 'IPv6' | 'VLAN' | '802.3' | 'unknown';

/** Tags from the outside in, and what they wrap. */
export interface Tagged {
  readonly tags: readonly VlanTag[];
  /** Of the payload under the tags. */
  readonly etherType: number;
  readonly payload: Uint8Array;
}

/** An Ethernet frame as software sees it: no preamble, no check sequence. IEEE 802.3, 3.1.1. */
export class EthernetFrame {
  static readonly HEADER_BYTES = 14;

  readonly destination: MacAddress;
  readonly source: MacAddress;
  /** As it stands behind the addresses: 0x8100 for a tagged frame, below 0x0600 the length of an 802.3 frame. */
  readonly etherType: number;
  /** All bytes after the header, tags and padding included; a view. */
  readonly payload: Uint8Array;

  private constructor(bytes: Uint8Array) {
    this.destination = MacAddress.at(bytes, 0);
    this.source = MacAddress.at(bytes, 6);
    this.etherType = readU16(bytes, 12);
    this.payload = bytes.subarray(EthernetFrame.HEADER_BYTES);
    Object.freeze(this);
  }

  /** Fails with FrameTooShort. */
  static parse(bytes: Uint8Array): EthernetFrame | ParseFailure {
    if (bytes.length < EthernetFrame.HEADER_BYTES) return new ParseFailure('FrameTooShort', bytes.length);
    return new EthernetFrame(bytes);
  }

  get kind(): FrameKind {
    if (announcesTag(this.etherType)) return 'VLAN';
    if (this.etherType < FIRST_ETHERTYPE) return '802.3';
    if (this.etherType === EtherType.IPV4) return 'IPv4';
    if (this.etherType === EtherType.ARP) return 'ARP';
    return this.etherType === EtherType.IPV6 ? 'IPv6' : 'unknown';
  }

  /** What stands under the VLAN tags, of which there may be none. Fails with VlanTooShort. */
  untagged(): Tagged | ParseFailure {
    const tags: VlanTag[] = [];
    let { etherType, payload } = this;
    while (announcesTag(etherType) && tags.length < TAGS_MAX) {
      if (payload.length < 4) return new ParseFailure('VlanTooShort', payload.length);
      tags.push(vlanTag(etherType, readU16(payload, 0)));
      etherType = readU16(payload, 2);
      payload = payload.subarray(4);
    }
    return { tags, etherType, payload };
  }

  serialise(): Uint8Array {
    return new ByteWriter(EthernetFrame.HEADER_BYTES + this.payload.length)
      .raw(this.destination.serialise())
      .raw(this.source.serialise())
      .u16(this.etherType)
      .raw(this.payload)
      .finish();
  }
}
