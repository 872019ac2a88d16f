import type { AttachmentResult } from './rounds.ts';
import type { ObservedAttachment } from './observed.ts';

/** How long a loss is told of, ms: whoever asks now and then sees it, and the API server is told. */
const TOLD_MS = 5000;

interface Loss {
  readonly fault: string;
  readonly untilNs: bigint;
}

/**
 * Filters that somebody took off cards where they were in force. The pass that finds one closes the card and puts the filter back, so
 * what it reads at its end shows nothing of it; this does. It is about what is said, and decides nothing. Time is passed in
 * (CLOCK_MONOTONIC).
 */
export class Losses {
  readonly #inForce = new Set<string>();
  readonly #told = new Map<string, Loss>();
  #count = 0;

  /** Since this agent started. */
  get count(): number {
    return this.#count;
  }

  /** An attachment was looked at, and nothing done about it yet. Only the first look after it was in force tells of a loss. */
  looked(tap: string, { fault, link }: Pick<ObservedAttachment, 'fault' | 'link'>, nowNs: bigint): void {
    if (fault === null || link === null || !this.#inForce.delete(tap)) return;
    this.#count += 1;
    this.#told.set(tap, { fault, untilNs: nowNs + BigInt(TOLD_MS) * 1_000_000n });
  }

  /** What a pass made of attachments in the end; those that lost their filter say so. */
  settled(results: readonly AttachmentResult[], nowNs: bigint): AttachmentResult[] {
    for (const { tap, verified, observed } of results) {
      if (verified && observed !== null && observed.link !== null && observed.fault === null)
        this.#inForce.add(tap);
      else this.#inForce.delete(tap);
    }
    return results.map((result) => ({ ...result, lost: this.#of(result.tap, nowNs) }));
  }

  /** What was wrong a moment ago; null: nothing. */
  #of(tap: string, nowNs: bigint): string | null {
    const loss = this.#told.get(tap);
    return loss !== undefined && nowNs < loss.untilNs ? loss.fault : null;
  }

  /** When the first of them has been told of, and it can be said that all is well; null: none. */
  nextNs(): bigint | null {
    let next: bigint | null = null;
    for (const { untilNs } of this.#told.values()) if (next === null || untilNs < next) next = untilNs;
    return next;
  }

  /** A pass begins: forgets attachments that are no more, and what has been told of, or it would lead to one pass after the other. */
  keepOnly(taps: { has(tap: string): boolean }, nowNs: bigint): void {
    for (const tap of this.#inForce) if (!taps.has(tap)) this.#inForce.delete(tap);
    for (const [tap, { untilNs }] of this.#told)
      if (!taps.has(tap) || untilNs <= nowNs) this.#told.delete(tap);
  }
}
