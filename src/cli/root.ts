import { VmnError } from '../lib/errors.ts';

/** Throws VMN_NOT_ROOT before anything is tried, so that a missing privilege never shows as some other failure. */
export function demandRoot(attempted: string): void {
  if (process.geteuid?.() !== 0) throw new VmnError('VMN_NOT_ROOT', { attempted });
}
