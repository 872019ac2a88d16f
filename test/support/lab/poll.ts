import { setTimeout as pause } from 'node:timers/promises';

export interface PollOptions {
  /** Default 10 s. */
  deadlineMs?: number;
  /** Default 20 ms. */
  everyMs?: number;
  /** Added to the error when the deadline passes. */
  detail?: () => string;
}

/** Asks until the answer is neither false, null nor undefined, and returns it; rejects at the deadline, naming what was awaited. */
export async function poll<T>(
  what: string,
  ask: () => T | Promise<T>,
  { deadlineMs = 10_000, everyMs = 20, detail }: PollOptions = {},
): Promise<Exclude<T, false | null | undefined>> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== false && answer !== null && answer !== undefined) {
      return answer as Exclude<T, false | null | undefined>;
    }
    if (performance.now() >= end) {
      throw new Error(
        `waited ${String(deadlineMs)} ms in vain for ${what}${detail === undefined ? '' : `\n${detail()}`}`,
      );
    }
    await pause(everyMs);
  }
}
