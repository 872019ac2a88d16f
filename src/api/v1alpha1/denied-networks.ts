import { cidrSchema, parseCidr } from './cidr.ts';
import type { Cidr } from './cidr.ts';
import { REFUSED_ENDPOINT_RANGES } from './consumer-endpoint.ts';
import { formatIpv4Address, ipv4AddressToNumber, parseIpv4Address } from './ipv4-address.ts';
import type { VmNetworkClassSpec } from './vm-network-class-spec.ts';

const PRIVATE_RANGES = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'].map((text) =>
  cidrSchema.parse(text),
);
const SHARED_RANGE = cidrSchema.parse('100.64.0.0/10');

/**
 * The networks that a class denies: no tenant may name an endpoint in them, and no VM reaches them in mode Direct.
 *
 * @param clusterRanges node addresses, pod and service ranges of this cluster; empty outside of one
 */
export function deniedNetworks(
  { deniedDestinations: { networks, ...denies } }: Pick<VmNetworkClassSpec, 'deniedDestinations'>,
  clusterRanges: readonly Cidr[],
): Cidr[] {
  return [
    ...networks,
    ...(denies.clusterRanges ? clusterRanges : []),
    ...(denies.privateRanges ? PRIVATE_RANGES : []),
    ...(denies.sharedRange ? [SHARED_RANGE] : []),
  ];
}

/** IPv4 addresses, both ends included. */
export interface AddressRange {
  readonly first: string;
  readonly last: string;
}

/**
 * What no VM of a class reaches in mode Direct, in as few ranges as cover exactly that, in order: what the class denies, and
 * what it cannot allow, since no consumer can be there (loopback, link-local, multicast, broadcast). Never empty.
 */
export function deniedRanges(
  classSpec: Pick<VmNetworkClassSpec, 'deniedDestinations'>,
  clusterRanges: readonly Cidr[],
): AddressRange[] {
  const always = REFUSED_ENDPOINT_RANGES.map(({ network }) => network);
  return mergedRanges([...always, ...deniedNetworks(classSpec, clusterRanges)].map(rangeOf));
}

/** The same addresses in as few ranges as there can be, in order, none touching another. Pure. */
export function mergedRanges(ranges: readonly AddressRange[]): AddressRange[] {
  const numbers = ranges.map(({ first, last }) => ({ first: numberOf(first), last: numberOf(last) }));
  const merged: { first: number; last: number }[] = [];
  for (const range of numbers.sort((a, b) => a.first - b.first)) {
    const before = merged.at(-1);
    if (before === undefined || range.first > before.last + 1) merged.push({ ...range });
    else before.last = Math.max(before.last, range.last);
  }
  return merged.map(({ first, last }) => ({
    first: formatIpv4Address(first),
    last: formatIpv4Address(last),
  }));
}

/** All addresses of a network. Throws RangeError for what is none: nothing that is to be denied is left out in silence. */
export function rangeOf(cidr: string): AddressRange {
  const parsed = parseCidr(cidr);
  if (parsed === null) throw new RangeError(`not a network: ${cidr}`);
  const size = 2 ** (32 - parsed.prefixLength);
  const address = ipv4AddressToNumber(parsed.address);
  const first = address - (address % size);
  return { first: formatIpv4Address(first), last: formatIpv4Address(first + size - 1) };
}

function numberOf(text: string): number {
  const address = parseIpv4Address(text);
  if (address === null) throw new RangeError(`not an IPv4 address: ${text}`);
  return ipv4AddressToNumber(address);
}
