import { ParseFailure } from '../../../src/packet/parse-failure.ts';

/** What was asked for, in a test in which it must be there. */
export function parsed<T>(result: T | ParseFailure): T {
  if (result instanceof ParseFailure) throw new Error(`not parsed: ${result.reason}`);
  return result;
}

/** Why not, in a test in which it must not be; the result itself when it is there. */
export function failureOf(result: unknown): unknown {
  return result instanceof ParseFailure ? result.reason : result;
}
