import { isDrop, isViolation, REASONS, type ReasonName } from './drop-reason.ts';

export type { ReasonName } from './drop-reason.ts';

/** What becomes of a frame, and why. */
export interface Verdict {
  /** `reply`: the frame goes nowhere, and `answer` goes back to where it came from. */
  readonly action: 'allow' | 'drop' | 'reply';
  readonly reason: ReasonName;
  /** The number of the reason: counters, metrics and the C filter speak in these. */
  readonly reasonCode: number;
  /** The frame would have been dropped for `reason`, and passes: its policy only audits. */
  readonly audited: boolean;
  /** The frame to send back; only with `reply`. */
  readonly answer?: Uint8Array;
}

const NUMBERS = new Map(REASONS.map(({ name, number }) => [name, number]));

/** Whether a frame judged so goes on or is answered. */
export function letsPass(reason: ReasonName): boolean {
  return !isDrop(numberOf(reason));
}

/** Whether a drop for this means that the guest tried what it may not. */
export function isViolationOf(reason: ReasonName): boolean {
  return isViolation(numberOf(reason));
}

/** The verdict of a reason that lets pass or drops. */
export function verdictOf(reason: ReasonName): Verdict {
  const reasonCode = numberOf(reason);
  return { action: isDrop(reasonCode) ? 'drop' : 'allow', reason, reasonCode, audited: false };
}

/** @param answer the frame that is sent back instead of letting the question through */
export function replyWith(reason: ReasonName, answer: Uint8Array): Verdict {
  return { action: 'reply', reason, reasonCode: numberOf(reason), audited: false, answer };
}

/** The reason of a drop stays; the frame does not. */
export function auditedPass(drop: Verdict): Verdict {
  return { ...drop, action: 'allow', audited: true };
}

function numberOf(reason: ReasonName): number {
  const number = NUMBERS.get(reason);
  if (number === undefined) throw new Error(`no number for the reason ${reason}`);
  return number;
}
