/** Reads back what test/support/skip.ts wrote into a title. */

export interface SkipReason {
  reason: string;
  optional: boolean;
}

/** A row that only real hardware can prove, e.g. a Mac: shown as such, never as passed. */
export const UNVERIFIED = '[unverified on hardware]';

const SUFFIX = / \[skipped(, optional)?: (.*?)\](?= |$)/;

/** Splits a full test name into the name itself and the reason why it was skipped, if it carries one. */
export function splitSkipReason(fullName: string): { title: string; skip: SkipReason | null } {
  if (fullName.includes(UNVERIFIED)) {
    return { title: fullName, skip: { reason: 'unverified on hardware', optional: true } };
  }
  const match = SUFFIX.exec(fullName);
  if (match === null) return { title: fullName, skip: null };
  const title = fullName.slice(0, match.index) + fullName.slice(match.index + match[0].length);
  return { title, skip: { reason: match[2] ?? '', optional: match[1] !== undefined } };
}
