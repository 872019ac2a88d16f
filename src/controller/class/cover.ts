import { networkAddress, parseCidr } from '../../api/v1alpha1/cidr.ts';
import type { Cidr } from '../../api/v1alpha1/cidr.ts';
import { formatIpv4Address, ipv4AddressToNumber } from '../../api/v1alpha1/ipv4-address.ts';

/** Networks are widened up to this length and no further: each denies 255 neighbours of one address at most. */
export const WIDENED_TO = 24;

/** Addresses from `first` to `last`, both included. */
interface Span {
  readonly first: number;
  readonly last: number;
}

export interface Cover {
  /** Sorted; no two overlap. */
  readonly cidrs: Cidr[];
  /** How many of the networks, from the first, are in it: fewer than were given only if they do not fit. */
  readonly taken: number;
}

/**
 * At most `most` CIDRs for these networks. In as few as cover exactly them; if those are too many, all are widened alike, to /24 at most;
 * if they are still too many, the last ones are left out. What is no IPv4 network is skipped. Pure.
 *
 * @param networks the one that matters most first
 */
export function cover(networks: readonly string[], most: number): Cover {
  const spans = networks.map(spanOf);
  for (let prefixLength = 32; prefixLength >= WIDENED_TO; prefixLength -= 1) {
    const cidrs = cidrsAt(prefixLength, spans);
    if (cidrs.length <= most) return { cidrs, taken: networks.length };
  }
  let fits = 0;
  let tooMany = networks.length;
  while (tooMany - fits > 1) {
    const middle = Math.floor((fits + tooMany) / 2);
    if (cidrsAt(WIDENED_TO, spans.slice(0, middle)).length <= most) fits = middle;
    else tooMany = middle;
  }
  return { cidrs: cidrsAt(WIDENED_TO, spans.slice(0, fits)), taken: fits };
}

function spanOf(text: string): Span | null {
  const parsed = parseCidr(text);
  if (parsed === null) return null;
  const first = ipv4AddressToNumber(networkAddress(parsed));
  return { first, last: first + 2 ** (32 - parsed.prefixLength) - 1 };
}

function cidrsAt(prefixLength: number, spans: readonly (Span | null)[]): Cidr[] {
  const widened = spans.flatMap((span) => (span === null ? [] : [widen(span, prefixLength)]));
  return merged(widened).flatMap(cidrsOf);
}

function widen({ first, last }: Span, prefixLength: number): Span {
  const size = 2 ** (32 - prefixLength);
  return { first: first - (first % size), last: last - (last % size) + size - 1 };
}

/** Sorted, and joined where they overlap or touch. */
function merged(spans: readonly Span[]): Span[] {
  const result: { first: number; last: number }[] = [];
  for (const span of [...spans].sort((a, b) => a.first - b.first)) {
    const before = result.at(-1);
    if (before !== undefined && span.first <= before.last + 1) before.last = Math.max(before.last, span.last);
    else result.push({ ...span });
  }
  return result;
}

function cidrsOf({ first, last }: Span): Cidr[] {
  const cidrs: Cidr[] = [];
  let next = first;
  while (next <= last) {
    // As large as the start is aligned to, and as still fits.
    let size = next === 0 ? 2 ** 32 : lowestBit(next);
    while (next + size - 1 > last) size /= 2;
    cidrs.push(`${formatIpv4Address(next)}/${32 - Math.log2(size)}` as Cidr);
    next += size;
  }
  return cidrs;
}

/** Of a number below 2^32, without the sign that `&` gives. */
function lowestBit(value: number): number {
  let bit = 1;
  while (value % (bit * 2) === 0) bit *= 2;
  return bit;
}
