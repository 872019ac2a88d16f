import type { Cidr } from '../../api/v1alpha1/cidr.ts';
import type { NetworkClass } from '../kinds.ts';

/**
 * The status to write to a class, or null if it says so already. Pure. Agents and the admission policies read it: they
 * know no Node and no ServiceCIDR.
 */
export function planClassStatus(
  networkClass: NetworkClass,
  ranges: readonly Cidr[],
): NonNullable<NetworkClass['status']> | null {
  const before = networkClass.status?.clusterRanges;
  const same = before?.length === ranges.length && before.every((range, index) => range === ranges[index]);
  return same ? null : { clusterRanges: [...ranges] };
}
