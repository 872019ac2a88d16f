import { isDeepStrictEqual } from 'node:util';
import type { Blocked } from './plan.ts';
import type { DesiredAttachment } from './desired.ts';

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;

interface Failure {
  readonly count: number;
  readonly retryAtNs: bigint;
  readonly error: Blocked;
  readonly desired: DesiredAttachment;
}

/**
 * When an attachment that failed may be tried again: after half a second, then twice as long each time, up to 30 s. A
 * change of what is wanted is tried at once. Time is passed in (CLOCK_MONOTONIC).
 */
export class RetryTable {
  readonly #failures = new Map<string, Failure>();

  /** The error an attachment is held back for, or null when it may be tried now. */
  heldBack(tap: string, desired: DesiredAttachment, nowNs: bigint): Blocked | null {
    const failure = this.#failures.get(tap);
    if (failure === undefined || nowNs >= failure.retryAtNs) return null;
    return isDeepStrictEqual(failure.desired, desired) ? failure.error : null;
  }

  failed(tap: string, desired: DesiredAttachment, error: Blocked, nowNs: bigint): void {
    const count = (this.#failures.get(tap)?.count ?? 0) + 1;
    const delayMs = Math.min(FIRST_DELAY_MS * 2 ** (count - 1), LONGEST_DELAY_MS);
    this.#failures.set(tap, { count, error, desired, retryAtNs: nowNs + BigInt(delayMs) * 1_000_000n });
  }

  succeeded(tap: string): void {
    this.#failures.delete(tap);
  }

  /** Forgets attachments that are no more. */
  keepOnly(taps: { has(tap: string): boolean }): void {
    for (const tap of this.#failures.keys()) if (!taps.has(tap)) this.#failures.delete(tap);
  }

  /** When the first of them is due, or null when none waits. */
  nextRetryNs(): bigint | null {
    let next: bigint | null = null;
    for (const { retryAtNs } of this.#failures.values())
      if (next === null || retryAtNs < next) next = retryAtNs;
    return next;
  }
}
