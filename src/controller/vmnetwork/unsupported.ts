import type { Objection } from '../../api/v1alpha1/class-objections.ts';
import { effectiveLimits, LIMIT_FIELDS } from '../../api/v1alpha1/limits.ts';
import type { Limits } from '../../api/v1alpha1/limits.ts';
import type { VmNetworkClassSpec } from '../../api/v1alpha1/vm-network-class-spec.ts';
import type { VmNetworkSpec } from '../../api/v1alpha1/vm-network-spec.ts';

/** VMN_BITS_PER_SECOND_MAX and VMN_PACKETS_PER_SECOND_MAX of native/include/vmn/abi.h; a test compares. */
export const HIGHEST_LIMITS: Limits = {
  egressBitsPerSecond: 100_000_000_000,
  packetsPerSecond: 1_000_000_000,
};

/**
 * What of a valid spec this version cannot enforce. Such a network is refused as a whole and its VMs stay denied: to
 * enforce the rest and leave one wish out would be a promise broken in silence.
 */
export function unsupportedFields(spec: VmNetworkSpec, classSpec: VmNetworkClassSpec): Objection[] {
  const found: Objection[] = [];
  const refuse = (field: string, value: unknown, message: string, remedy: string): void => {
    found.push({ field, value: typeof value === 'string' ? value : JSON.stringify(value), message, remedy });
  };
  const limits = effectiveLimits(spec.limits, classSpec.limits.default, classSpec.limits.maximum);
  for (const field of LIMIT_FIELDS) {
    const most = HIGHEST_LIMITS[field];
    if (limits[field] <= most) continue;
    const remedy = `Set ${field} to at most ${most}, or to 0 here and in the class for no limit.`;
    refuse(`spec.limits.${field}`, limits[field], `is more than the filter can count (${most})`, remedy);
  }
  const { matchLabels } = spec.selector;
  if (Object.keys(matchLabels).length > 0) {
    refuse(
      'spec.selector.matchLabels',
      matchLabels,
      'is for clusters: a host alone knows no labels of VMs',
      'Name the VMs in selector.names or selector.uuids.',
    );
  }
  return found;
}
