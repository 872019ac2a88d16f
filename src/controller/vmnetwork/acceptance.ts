import type { Cidr } from '../../api/v1alpha1/cidr.ts';
import { classObjections } from '../../api/v1alpha1/class-objections.ts';
import type { Objection } from '../../api/v1alpha1/class-objections.ts';
import type { Condition } from '../../api/v1alpha1/conditions.ts';
import type { VmNetworkClassSpec } from '../../api/v1alpha1/vm-network-class-spec.ts';
import type { VmNetworkSpec } from '../../api/v1alpha1/vm-network-spec.ts';

/** A condition as planned: the caller knows the generation and since when. */
export type PlannedCondition = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

export const ACCEPTED: PlannedCondition = {
  type: 'Accepted',
  status: 'True',
  reason: 'Accepted',
  message: 'the spec is valid and can be enforced',
};

/** What the class says of the spec, or null when it has nothing against it. Pure. */
export function classRefusal(
  spec: VmNetworkSpec,
  classSpec: VmNetworkClassSpec,
  clusterRanges: readonly Cidr[] = [],
): PlannedCondition | null {
  const objections = classObjections(spec, classSpec, clusterRanges);
  return objections.length === 0 ? null : refusal('DeniedByClass', sentences(objections));
}

export function refusal(reason: PlannedCondition['reason'], message: string): PlannedCondition {
  return { type: 'Accepted', status: 'False', reason, message };
}

export function sentences(objections: readonly Objection[]): string {
  return objections
    .map(({ field, value, message, remedy }) => `${field} (${value}) ${message}. ${remedy}`)
    .join(' ');
}
