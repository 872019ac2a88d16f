import { isIPv4 } from 'node:net';
import { networkAddress, parseCidr } from '../../api/v1alpha1/cidr.ts';
import type { Cidr } from '../../api/v1alpha1/cidr.ts';
import { formatIpv4Address, ipv4AddressToNumber } from '../../api/v1alpha1/ipv4-address.ts';
import type { ClusterNode, ServiceCidr } from '../kinds.ts';

/** Most ranges that the status of a class may hold. */
export const MOST_RANGES = 4096;

/** Addresses from `first` to `last`, both included. */
interface Span {
  readonly first: number;
  readonly last: number;
}

/**
 * What of IPv4 belongs to the cluster itself: addresses of its nodes, ranges of pods and of services. Sorted, in as few
 * CIDRs as cover exactly that. Pure. IPv6 is left out, for no endpoint can lie there. What cannot be read is left out too: it comes from
 * the API server, which has checked it.
 */
export function clusterRanges(nodes: readonly ClusterNode[], serviceCidrs: readonly ServiceCidr[]): Cidr[] {
  const texts = [...nodes.flatMap(rangesOfNode), ...serviceCidrs.flatMap(({ spec }) => spec?.cidrs ?? [])];
  return collapse(texts.flatMap(spanOf));
}

/** What of a Node decides about ranges; the rest of it, its heartbeat above all, does not. */
export function rangesOfNode({ spec, status }: ClusterNode): string[] {
  const addresses = (status?.addresses ?? []).flatMap(({ address }) =>
    isIPv4(address) ? [`${address}/32`] : [],
  );
  const pods = spec?.podCIDRs ?? (spec?.podCIDR === undefined ? [] : [spec.podCIDR]);
  return [...addresses, ...pods];
}

/**
 * The fewest CIDRs for these spans. If they are too many, small ones are widened until they are few enough: a range
 * that denies a little more than the cluster is a nuisance, one that leaves part of it out is a hole.
 */
export function collapse(spans: readonly Span[], most = MOST_RANGES): Cidr[] {
  for (let prefixLength = 32; ; prefixLength -= 1) {
    const widened = prefixLength === 32 ? spans : spans.map((span) => widen(span, prefixLength));
    const cidrs = merged(widened).flatMap(cidrsOf);
    if (cidrs.length <= most || prefixLength === 0) return cidrs;
  }
}

function spanOf(text: string): Span[] {
  const parsed = parseCidr(text);
  if (parsed === null) return [];
  const first = ipv4AddressToNumber(networkAddress(parsed));
  return [{ first, last: first + 2 ** (32 - parsed.prefixLength) - 1 }];
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
