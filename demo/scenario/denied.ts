import type { Attempt } from './attempt.ts';
import type { InboundAttempt } from './inbound.ts';

/**
 * The same attempts by a guest that has no policy: whatever it is, every frame is dropped for that reason. The guest's stack may
 * have lost its gateway and ask for it instead: one frame at least, and none answered.
 */
export function asDenied(tries: readonly Attempt[]): Attempt[] {
  return tries.map((attempt) => {
    const frames = attempt.repeats ? 1 : Object.values(attempt.drops).reduce((sum, count) => sum + count, 0);
    return { ...attempt, drops: { NoPolicy: frames }, repeats: true };
  });
}

/** What was counted on its way into the tap is counted there still, for want of a policy. */
export function asDeniedInbound(tries: readonly InboundAttempt[]): InboundAttempt[] {
  return tries.map((attempt) => {
    const isCounted = Object.keys(attempt.drops).length > 0;
    return isCounted ? { ...attempt, drops: { NoPolicy: 1 }, by: 'NoPolicy' } : attempt;
  });
}
