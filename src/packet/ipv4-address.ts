import { isIPv4 } from 'node:net';
import { readU32 } from './network-order.ts';

/** An IPv4 address as it stands in a packet, RFC 791. */
export class Ipv4Address {
  static readonly BYTES = 4;

  /** The address as an unsigned 32-bit number: 0.0.0.1 is 1. */
  readonly value: number;

  private constructor(value: number) {
    this.value = value;
    Object.freeze(this);
  }

  /** The four bytes at `offset`, which the caller knows to be there. */
  static at(bytes: Uint8Array, offset: number): Ipv4Address {
    return new Ipv4Address(readU32(bytes, offset));
  }

  /** @throws RangeError outside 0 to 2^32 - 1 */
  static fromNumber(value: number): Ipv4Address {
    if (value >>> 0 !== value) throw new RangeError(`not an unsigned 32-bit number: ${value}`);
    return new Ipv4Address(value);
  }

  /** Four decimal numbers without leading zeros (`010.0.0.1` is 8.0.0.1 to some readers); null for anything else. */
  static fromText(text: string): Ipv4Address | null {
    if (!isIPv4(text)) return null;
    return new Ipv4Address(text.split('.').reduce((value, octet) => value * 256 + Number(octet), 0));
  }

  equals(other: Ipv4Address): boolean {
    return this.value === other.value;
  }

  /** 0.0.0.0: "this host", never somebody one can send to (RFC 1122, 3.2.1.3). */
  get isUnspecified(): boolean {
    return this.value === 0;
  }

  serialise(): Uint8Array {
    return Uint8Array.from([24, 16, 8, 0], (shift) => (this.value >>> shift) & 0xff);
  }

  /** Dotted decimal. */
  toString(): string {
    return this.serialise().join('.');
  }
}
