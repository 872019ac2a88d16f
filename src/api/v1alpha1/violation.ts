import { z } from 'zod';
import type { Mode } from './mode.ts';

/** From mild to severe; a class sets the ceiling. */
export const VIOLATION_ACTIONS = ['Drop', 'Quarantine', 'Terminate'] as const;
export const violationActionSchema = z.enum(VIOLATION_ACTIONS);
export type ViolationAction = z.infer<typeof violationActionSchema>;

/** What happens to a VM whose frames were dropped `threshold` times within `windowSeconds`. */
export const violationSchema = z.strictObject({
  action: violationActionSchema.optional().meta({
    description:
      'Drop: drop the frame. Quarantine: from then on nothing passes. Terminate: end the VM. Default: Terminate with Conntrack and Sampled, else Drop.',
    examples: ['Drop'],
  }),
  threshold: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(1)
    .meta({ description: 'Number of violations within the window that triggers the action.', examples: [1] }),
  windowSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(10)
    .meta({ description: 'Length of the window in seconds, 1 to 86400.', examples: [10] }),
});

export type Violation = z.infer<typeof violationSchema>;

/**
 * The action in force. In Conntrack and Sampled a violation is found after bytes have already left, so dropping the one
 * frame is no answer; in Filtered nothing has left.
 */
export function effectiveViolationAction(mode: Mode, violation: Violation): ViolationAction {
  if (violation.action !== undefined) return violation.action;
  return mode === 'Conntrack' || mode === 'Sampled' ? 'Terminate' : 'Drop';
}
