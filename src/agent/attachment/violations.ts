import type { PolicyIntent } from '../../controller/vmnetwork/plan.ts';
import type { RecordedViolations } from '../wiring/record.ts';

/*
 * Theory of operation
 *
 * The kernel counts how often the threshold of violations was reached (with hysteresis); the event it sends besides may
 * be lost, the count cannot. The record holds up to which count everything was answered, and the answer in force, so a
 * crossing that happened while no agent ran is answered by the next one, and an answer survives the agent.
 *
 *   action Drop          nothing is recorded: dropping is the kernel's, and status tells the count
 *   the action begins    what was counted so far is settled: it happened under another wish; the policy is committed anew
 *   a crossing           quarantined from now on; with Terminate the VM is to be ended, too
 *   the end of it        only by the spec's own kill switch: with desiredState Quarantined the operator has taken over,
 *                        and back to Active the VM starts anew. No other edit of the spec releases a VM.
 */

/** What is to hold for the violations of one attachment. */
export interface ViolationAnswer {
  /** Nothing may pass because of them. */
  readonly quarantined: boolean;
  /** What the record has to say; null: nothing. */
  readonly recorded: RecordedViolations | null;
}

/**
 * Pure. `intent`: null while the VM is denied anyway. `crossings`: as just read; null when the kernel cannot tell, because
 * the programs are not in their place or not ours. `now`: ISO 8601.
 */
export function answerViolations(
  intent: PolicyIntent | null,
  before: RecordedViolations | null,
  crossings: number | null,
  now: string,
): ViolationAnswer {
  const standing = { quarantined: before !== null && before.quarantinedAt !== null, recorded: before };
  if (intent === null || crossings === null) return standing;
  const acts = intent.violation.action !== 'Drop';
  if (intent.quarantined || !standing.quarantined) {
    if (!acts) return { quarantined: false, recorded: null };
    const crossed = !intent.quarantined && before !== null && isCrossed(before.answered, crossings);
    const toEnd = crossed && intent.violation.action === 'Terminate';
    return { quarantined: crossed, recorded: answeredUpTo(before, crossings, crossed ? now : null, toEnd) };
  }
  return standing;
}

/** The count begins anew with fresh maps, which somebody else's detaching brings about, for example. */
function isCrossed(answered: number, crossings: number): boolean {
  return crossings > answered || (crossings < answered && crossings > 0);
}

function answeredUpTo(
  before: RecordedViolations | null,
  answered: number,
  quarantinedAt: string | null,
  toEnd: boolean,
): RecordedViolations {
  const unchanged =
    before !== null &&
    before.answered === answered &&
    before.quarantinedAt === quarantinedAt &&
    !before.toEnd;
  return unchanged ? before : { answered, quarantinedAt, toEnd };
}

export function sameViolations(a: RecordedViolations | null, b: RecordedViolations | null): boolean {
  if (a === null || b === null) return a === b;
  return a.answered === b.answered && a.quarantinedAt === b.quarantinedAt && a.toEnd === b.toEnd;
}
