import { z } from 'zod';
import type { Mode } from './mode.ts';

/** From mild to severe; a class sets the ceiling. */
export const VIOLATION_ACTIONS = ['Drop', 'Quarantine', 'Terminate'] as const;
export const violationActionSchema = z.enum(VIOLATION_ACTIONS);
export type ViolationAction = z.infer<typeof violationActionSchema>;

/**
 * What happens to a VM whose frames broke a rule `threshold` times within `windowSeconds`. What every guest's system sends
 * unasked (multicast, IPv6 solicitations, frames that are merely too many or too large) is dropped, and never counted here.
 */
export const violationSchema = z.strictObject({
  action: violationActionSchema.optional().meta({
    description:
      'Drop: drop the frame. Quarantine: from then on nothing passes, until desiredState was set to Quarantined and back. Terminate: that, and end the VM. Default: Quarantine with Sampled, else Drop.',
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
 * The action in force. In Sampled one violation that was drawn stands for many that left the host, so dropping that one
 * frame is no answer. In Filtered and Conntrack no frame leaves to a place that is not allowed. Audit acts on nothing.
 */
export function effectiveViolationAction(
  spec: Readonly<{ mode: Mode; violation: Violation; enforcement: 'Enforce' | 'Audit' }>,
): ViolationAction {
  if (spec.enforcement === 'Audit') return 'Drop';
  return spec.violation.action ?? (spec.mode === 'Sampled' ? 'Quarantine' : 'Drop');
}
