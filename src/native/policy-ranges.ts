/** The denied ranges of a policy of mode Direct: `struct vmn_range` of native/include/vmn/abi.h, one behind the other. */
import { endianness } from 'node:os';
import { addressBytes } from './policy-fields.ts';

/** IPv4 addresses in dotted notation, both included. */
export interface AddressRange {
  readonly first: string;
  readonly last: string;
}

/** VMN_DENIED_MAX. */
export const MAX_DENIED = 512;
export const RANGE_BYTES = 8;
export const DENIED_BYTES = MAX_DENIED * RANGE_BYTES;

/** Offsets in `struct vmn_range`. */
export const RANGE_LAYOUT = { first: 0, last: 4 } as const;

const LITTLE = endianness() === 'LE';

/** @throws TypeError for none, for too many, and for ranges that the filter would search in vain: out of order, or not apart. */
export function putRanges(view: DataView, offset: number, ranges: readonly AddressRange[]): void {
  if (ranges.length < 1 || ranges.length > MAX_DENIED) {
    throw new TypeError(`denied has ${ranges.length} ranges, not 1 to ${MAX_DENIED}`);
  }
  let before = -1;
  for (const [index, { first, last }] of ranges.entries()) {
    const [begin, end] = [numberOf(first), numberOf(last)];
    if (begin <= before || end < begin) throw new TypeError(`denied is not in order at ${first}-${last}`);
    view.setUint32(offset + index * RANGE_BYTES + RANGE_LAYOUT.first, begin, LITTLE);
    view.setUint32(offset + index * RANGE_BYTES + RANGE_LAYOUT.last, end, LITTLE);
    before = end;
  }
}

export function rangesAt(view: DataView, offset: number, count: number): AddressRange[] {
  return Array.from({ length: count }, (_, index) => ({
    first: textOf(view.getUint32(offset + index * RANGE_BYTES + RANGE_LAYOUT.first, LITTLE)),
    last: textOf(view.getUint32(offset + index * RANGE_BYTES + RANGE_LAYOUT.last, LITTLE)),
  }));
}

function numberOf(address: string): number {
  return addressBytes(address).reduce((value, octet) => value * 256 + octet, 0);
}

function textOf(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.');
}
