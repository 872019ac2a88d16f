import type { Cidr } from '../../api/v1alpha1/cidr.ts';
import type { ClusterNode, ServiceCidr } from '../kinds.ts';
import { byAge } from '../vmnetwork/age.ts';
import { cover, WIDENED_TO } from './cover.ts';
import { claimsOf } from './node-claims.ts';

/** Most ranges that the status of a class may hold. */
export const MOST_RANGES = 4096;

export interface ClusterRanges {
  /** Sorted; no two overlap. */
  readonly ranges: readonly Cidr[];
  /** Whether anything at all is known of Nodes, and of services where they are served. There is no cluster without. */
  readonly complete: boolean;
  /** What Nodes say of themselves and is not among the ranges, in words. */
  readonly leftOut: readonly string[];
}

/**
 * What of IPv4 belongs to the cluster itself: addresses of its nodes, ranges of pods and of services, in as few CIDRs as cover
 * exactly that. Pure.
 *
 * More than `most` are widened, up to /24. A range that denies more than the cluster refuses tenants what is their right; one that
 * leaves part of the cluster out is a hole: so no widening beyond that, and what does not even then fit is left out in an order that one Node
 * cannot turn against others: services stay, then of each Node what it tells first, the oldest Node's first.
 *
 * @param serviceCidrs null where the API server does not serve them
 */
export function clusterRanges(
  nodes: readonly ClusterNode[],
  serviceCidrs: readonly ServiceCidr[] | null,
  most = MOST_RANGES,
): ClusterRanges {
  const claims = [...nodes].sort(byAge).map(claimsOf);
  const services = (serviceCidrs ?? []).flatMap(({ spec }) => spec?.cidrs ?? []);
  const networks = [...services, ...firstOfEach(claims.map((claim) => claim.networks))];
  const { cidrs, taken } = cover(networks, most);
  const cut = `addresses and pod ranges of the newest Nodes: all do not fit into ${most} networks of /${WIDENED_TO}`;
  return {
    ranges: cidrs,
    complete: claims.some((claim) => claim.networks.length > 0) && serviceCidrs?.length !== 0,
    leftOut: [...claims.flatMap(({ ignored }) => ignored), ...(taken < networks.length ? [cut] : [])],
  };
}

/** The first of each list, then the second of each, and so on. */
function firstOfEach(lists: readonly (readonly string[])[]): string[] {
  const longest = lists.reduce((most, { length }) => Math.max(most, length), 0);
  return Array.from({ length: longest }, (_, index) =>
    lists.flatMap((list) => list.slice(index, index + 1)),
  ).flat();
}
