import { EtherType } from './ether-type.ts';
import { Ipv4Address } from './ipv4-address.ts';
import { MacAddress } from './mac-address.ts';
import { ByteWriter, readU16, readU8 } from './network-order.ts';
import { ParseFailure } from './parse-failure.ts';

export const ArpOperation = { REQUEST: 1, REPLY: 2 } as const;

const ETHERNET = 1;

export interface ArpFields {
  readonly operation: number;
  readonly senderMac: MacAddress;
  readonly senderAddress: Ipv4Address;
  readonly targetMac: MacAddress;
  readonly targetAddress: Ipv4Address;
}

/** An ARP packet about Ethernet and IPv4, RFC 826. About anything else its addresses stand in other places. */
export class ArpPacket implements ArpFields {
  static readonly BYTES = 28;

  /** 1 request, 2 reply; others exist and are for the caller to judge. */
  readonly operation: number;
  readonly senderMac: MacAddress;
  readonly senderAddress: Ipv4Address;
  readonly targetMac: MacAddress;
  readonly targetAddress: Ipv4Address;
  /** What follows the packet in its frame: mostly zeros up to Ethernet's least length. A view. */
  readonly padding: Uint8Array;

  constructor(fields: ArpFields, padding: Uint8Array = new Uint8Array()) {
    this.operation = fields.operation;
    this.senderMac = fields.senderMac;
    this.senderAddress = fields.senderAddress;
    this.targetMac = fields.targetMac;
    this.targetAddress = fields.targetAddress;
    this.padding = padding;
    Object.freeze(this);
  }

  /** Fails with ArpTooShort or ArpFormat. */
  static parse(bytes: Uint8Array): ArpPacket | ParseFailure {
    if (bytes.length < ArpPacket.BYTES) return new ParseFailure('ArpTooShort', bytes.length);
    const aboutEthernetAndIpv4 =
      readU16(bytes, 0) === ETHERNET &&
      readU16(bytes, 2) === EtherType.IPV4 &&
      readU8(bytes, 4) === MacAddress.BYTES &&
      readU8(bytes, 5) === Ipv4Address.BYTES;
    if (!aboutEthernetAndIpv4) return new ParseFailure('ArpFormat', bytes.length);
    return new ArpPacket(
      {
        operation: readU16(bytes, 6),
        senderMac: MacAddress.at(bytes, 8),
        senderAddress: Ipv4Address.at(bytes, 14),
        targetMac: MacAddress.at(bytes, 18),
        targetAddress: Ipv4Address.at(bytes, 24),
      },
      bytes.subarray(ArpPacket.BYTES),
    );
  }

  serialise(): Uint8Array {
    return new ByteWriter(ArpPacket.BYTES + this.padding.length)
      .u16(ETHERNET)
      .u16(EtherType.IPV4)
      .u8(MacAddress.BYTES)
      .u8(Ipv4Address.BYTES)
      .u16(this.operation)
      .raw(this.senderMac.serialise())
      .raw(this.senderAddress.serialise())
      .raw(this.targetMac.serialise())
      .raw(this.targetAddress.serialise())
      .raw(this.padding)
      .finish();
  }
}
