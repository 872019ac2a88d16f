import { readU16, readU32 } from './network-order.ts';

const TEXT = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;
const BROADCAST = 0xffffffffffff;

/** A 48-bit MAC address, IEEE 802-2014, 8.2. Group addresses are addresses too: a frame may hold any. */
export class MacAddress {
  static readonly BYTES = 6;

  /** The address as an unsigned 48-bit number, first byte highest. */
  readonly value: number;

  private constructor(value: number) {
    this.value = value;
    Object.freeze(this);
  }

  /** The six bytes at `offset`, which the caller knows to be there. */
  static at(bytes: Uint8Array, offset: number): MacAddress {
    return new MacAddress(readU16(bytes, offset) * 0x1_0000_0000 + readU32(bytes, offset + 2));
  }

  /** Six pairs of hexadecimal digits separated by colons; null for anything else. */
  static fromText(text: string): MacAddress | null {
    return TEXT.test(text) ? new MacAddress(Number.parseInt(text.replaceAll(':', ''), 16)) : null;
  }

  equals(other: MacAddress): boolean {
    return this.value === other.value;
  }

  /** Multicast or broadcast: the lowest bit of the first byte. */
  get isGroup(): boolean {
    return (Math.floor(this.value / 2 ** 40) & 1) === 1;
  }

  get isBroadcast(): boolean {
    return this.value === BROADCAST;
  }

  serialise(): Uint8Array {
    return Uint8Array.from({ length: 6 }, (_, index) => Math.floor(this.value / 2 ** (40 - 8 * index)) % 256);
  }

  /** Lower case, separated by colons. */
  toString(): string {
    const digits = this.value.toString(16).padStart(12, '0');
    return digits.replace(/..(?=.)/g, '$&:');
  }
}
