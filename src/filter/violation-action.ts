import { effectiveViolationAction, type ViolationAction } from '../api/v1alpha1/violation.ts';

/** What the filter told (struct vmn_event). */
export interface ViolationEvent {
  /** `drop`: one frame was dropped, or would have been. `violations`: they reached the threshold within the window. */
  readonly kind: 'drop' | 'violations';
}

/** The action that a VMNetwork declares, or what its mode and enforcement make the default. */
export type Declared = Parameters<typeof effectiveViolationAction>[0];

/** What is to be done now beyond the drops themselves; `Drop`: nothing. A frame alone never is more than a drop. */
export function violationAction({ kind }: ViolationEvent, declared: Declared): ViolationAction {
  return kind === 'violations' ? effectiveViolationAction(declared) : 'Drop';
}
