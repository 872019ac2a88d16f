import { REASONS as TABLE, type Reason } from './reason-table.ts';

export type { Reason, ReasonName } from './reason-table.ts';

/** Every reason there is, in the order of their numbers. */
export const REASONS: readonly Reason[] = TABLE;

/** From this number on the frame is dropped (VMN_REASON_FIRST_DROP). */
export const FIRST_DROP = 16;

const byNumber: ReadonlyMap<number, Reason> = new Map(REASONS.map((reason) => [reason.number, reason]));

/** Undefined for a number that this version does not know, as from a newer filter. */
export function reasonOf(number: number): Reason | undefined {
  return byNumber.get(number);
}

export function reasonName(number: number): string {
  return byNumber.get(number)?.name ?? `Reason${number}`;
}

/** The value of the label `reason` in metrics. */
export function reasonMetric(number: number): string {
  return byNumber.get(number)?.metric ?? `reason_${number}`;
}

/** Unknown numbers are drops from 16 on too: new ways to pass would be a new ABI. */
export function isDrop(number: number): boolean {
  return number >= FIRST_DROP;
}

/** Whether a drop for this means that the guest tried what it may not (vmn_is_violation). Unknown drops do. */
export function isViolation(number: number): boolean {
  return byNumber.get(number)?.violation ?? isDrop(number);
}

/** One short sentence: the rule that decided. */
export function ruleOf(number: number): string {
  return byNumber.get(number)?.rule ?? 'a rule that this version does not know';
}
