import type { ReasonName } from './verdict.ts';

/** What must hold for a frame to get on, and the reason it is dropped for when it does not. */
export type Rule<Subject> = readonly [reason: ReasonName, holds: (subject: Subject) => boolean];

/** Rules are tried in order, and the first that is broken names the reason; null when all of them hold. */
export function firstBroken<Subject>(rules: readonly Rule<Subject>[], subject: Subject): ReasonName | null {
  return rules.find(([, holds]) => !holds(subject))?.[0] ?? null;
}
