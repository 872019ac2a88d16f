import { createHash } from 'node:crypto';
import { VmnError } from '../../lib/errors.ts';

/** A block of IPv4 addresses as numbers, both ends included. */
export interface AddressRange {
  readonly first: number;
  readonly last: number;
}

/** The addresses of a CIDR that may be given to guests: all but network and broadcast address (RFC 919). */
export function poolRange(cidr: string): AddressRange {
  const { first, last } = cidrRange(cidr);
  return last - first >= 3 ? { first: first + 1, last: last - 1 } : { first, last };
}

/** All addresses of a CIDR. The text was validated at the boundary. */
export function cidrRange(cidr: string): AddressRange {
  const [address = '', prefix = '32'] = cidr.split('/');
  const size = 2 ** (32 - Number(prefix));
  const first = Math.floor(toNumber(address) / size) * size;
  return { first, last: first + size - 1 };
}

export function overlaps(a: AddressRange, b: AddressRange): boolean {
  return a.first <= b.last && b.first <= a.last;
}

export function contains(range: AddressRange, address: string): boolean {
  const value = toNumber(address);
  return range.first <= value && value <= range.last;
}

/**
 * An address for `vm` that is not taken. The search starts at a place that follows from the VM's name, so that a VM
 * whose attachment was removed and made again gets the same address as long as nobody else took it meanwhile.
 * Throws VMN_POOL_EXHAUSTED.
 */
export function allocateAddress(vm: string, pool: string, taken: ReadonlySet<string>): string {
  const { first, last } = poolRange(pool);
  const size = last - first + 1;
  const start = createHash('sha256').update(`address/${vm}`).digest().readUInt32BE(0) % size;
  for (let step = 0; step < size; step += 1) {
    const address = toText(first + ((start + step) % size));
    if (!taken.has(address)) return address;
  }
  throw new VmnError('VMN_POOL_EXHAUSTED', { attempted: `choose a guest address for VM ${vm}`, on: pool });
}

function toNumber(address: string): number {
  return address.split('.').reduce((value, part) => value * 256 + Number(part), 0);
}

function toText(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}
