import type { NetworkClass } from '../kinds.ts';
import { MOST_RANGES } from './cluster-ranges.ts';
import type { ClusterRanges } from './cluster-ranges.ts';
import { cover } from './cover.ts';

/**
 * The status to write to a class, or null if it says so already. Pure. Agents and the admission policies read it: they
 * know no Node and no ServiceCIDR. While no Node tells an address (a cluster that was restored without Nodes, a list that came back
 * empty) nothing that was denied is allowed: ranges are added, none goes.
 *
 * @param keeps ranges are added and none goes, whatever is known
 */
export function planClassStatus(
  networkClass: NetworkClass,
  { ranges: known, complete }: Pick<ClusterRanges, 'ranges' | 'complete'>,
  keeps = false,
): NonNullable<NetworkClass['status']> | null {
  const before = networkClass.status?.clusterRanges;
  const ranges =
    (complete && !keeps) || before === undefined ? known : cover([...known, ...before], MOST_RANGES).cidrs;
  const same = before?.length === ranges.length && before.every((range, index) => range === ranges[index]);
  return same ? null : { clusterRanges: [...ranges] };
}
