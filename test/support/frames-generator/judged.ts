import type { FilterPolicy, PolicyInForce } from '../../../src/filter/filter-policy.ts';
import { PLAIN, type Circumstances, type FilteringStrategy } from '../../../src/filter/filtering-strategy.ts';
import type { Verdict } from '../../../src/filter/verdict.ts';
import { PINNED } from '../frames/cast.ts';
import type { PolicyFields } from '../frames/policy-bytes.ts';
import { inForce, NOW } from './policy.ts';

/** The policy of the cast, with something changed. */
export function policyWith(fields: Partial<PolicyFields> = {}): FilterPolicy {
  return inForce({ ...PINNED, ...fields });
}

/** A frame as it comes from a wire, with something changed about that. */
export function circumstancesWith(beside: Partial<Circumstances> = {}): Circumstances {
  return { ...PLAIN, nowNs: NOW, ...beside };
}

/** Judges frames from the VM under one policy. */
export function fromVm(
  strategy: FilteringStrategy,
  policy: PolicyInForce,
): (frame: Uint8Array, beside?: Partial<Circumstances>) => Verdict {
  return (frame, beside) => strategy.judge('from-vm', policy, frame, circumstancesWith(beside));
}

/** Judges frames to the VM under one policy. */
export function toVm(
  strategy: FilteringStrategy,
  policy: PolicyInForce,
): (frame: Uint8Array, beside?: Partial<Circumstances>) => Verdict {
  return (frame, beside) => strategy.judge('to-vm', policy, frame, circumstancesWith(beside));
}
