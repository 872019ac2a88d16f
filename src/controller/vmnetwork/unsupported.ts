import { effectiveLimits } from '../../api/v1alpha1/limits.ts';
import { effectiveViolationAction } from '../../api/v1alpha1/violation.ts';
import type { VmNetworkClassSpec } from '../../api/v1alpha1/vm-network-class-spec.ts';
import type { VmNetworkSpec } from '../../api/v1alpha1/vm-network-spec.ts';

/** A field that asks for something this version cannot do. */
export interface UnsupportedField {
  /** Path in the manifest: `spec.mode`. */
  readonly field: string;
  readonly value: string;
  readonly message: string;
  readonly remedy: string;
}

/**
 * What of a valid spec this version cannot enforce. Such a network is refused as a whole and its VMs stay denied: to
 * enforce the rest and leave one wish out would be a promise broken in silence.
 */
export function unsupportedFields(spec: VmNetworkSpec, classSpec: VmNetworkClassSpec): UnsupportedField[] {
  const found: UnsupportedField[] = [];
  const refuse = (field: string, value: unknown, message: string, remedy: string): void => {
    found.push({ field, value: typeof value === 'string' ? value : JSON.stringify(value), message, remedy });
  };
  if (spec.mode !== 'Filtered') {
    refuse('spec.mode', spec.mode, 'is not available in this version', 'Use mode: Filtered.');
  }
  if (spec.enforcement !== 'Enforce') {
    refuse(
      'spec.enforcement',
      spec.enforcement,
      'is not available in this version',
      'Use enforcement: Enforce.',
    );
  }
  const action = effectiveViolationAction(spec.mode, spec.violation);
  if (spec.mode === 'Filtered' && action !== 'Drop') {
    refuse(
      'spec.violation.action',
      action,
      'is not available in this version',
      'Use action: Drop, or leave it out.',
    );
  }
  const limits = effectiveLimits(spec.limits, classSpec.limits.default);
  for (const [name, value] of Object.entries(limits)) {
    if (value === 0) continue;
    const remedy = `Set ${name} to 0 here and in the defaults of the class, or leave it out.`;
    refuse(`spec.limits.${name}`, value, 'is not available in this version', remedy);
  }
  const { names, uuids, matchLabels } = spec.selector;
  if (names.length === 0) {
    refuse(
      'spec.selector.names',
      names,
      'is empty: VMs are found by name only',
      'Name the VMs in selector.names.',
    );
  }
  if (uuids.length > 0) {
    refuse('spec.selector.uuids', uuids, 'is not available in this version', 'Use selector.names alone.');
  }
  if (Object.keys(matchLabels).length > 0) {
    refuse(
      'spec.selector.matchLabels',
      matchLabels,
      'is not available in this version',
      'Use selector.names alone.',
    );
  }
  return found;
}
