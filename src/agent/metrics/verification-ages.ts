import type { AttachmentResult } from '../attachment/rounds.ts';
import type { Clock } from '../../lib/clock.ts';

type Verified = Pick<AttachmentResult, 'tap' | 'verified'>;

/** Since when each attachment has not been read back and found as intended; from when it was first seen, if it never was. */
export class VerificationAges {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #sinceMs = new Map<string, number>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** Of the attachment that has waited longest, ms; 0 without any. */
  get oldestMs(): number {
    const nowMs = this.#clock.monotonicMs();
    return Math.max(0, ...[...this.#sinceMs.values()].map((since) => nowMs - since));
  }

  /** All attachments that a pass dealt with. */
  passed(attachments: readonly Verified[]): void {
    const nowMs = this.#clock.monotonicMs();
    const present = new Set(attachments.map(({ tap }) => tap));
    for (const tap of this.#sinceMs.keys()) if (!present.has(tap)) this.#sinceMs.delete(tap);
    for (const { tap, verified } of attachments)
      if (verified || !this.#sinceMs.has(tap)) this.#sinceMs.set(tap, nowMs);
  }
}
