import type { Clock, Timer } from '../../lib/clock.ts';

const BEAT_MS = 1_000;

/** How late the event loop runs what is due. A process that is stuck for good does not answer at all; this finds one that crawls. */
export class LoopLag {
  readonly #clock: Clock;
  #timer: Timer;
  #expectedMs: number;
  #lastLagMs = 0;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#expectedMs = clock.monotonicMs() + BEAT_MS;
    this.#timer = this.#arm();
  }

  /** Of the last beat, or of the one that is overdue, ms. */
  get ms(): number {
    return Math.max(this.#lastLagMs, this.#clock.monotonicMs() - this.#expectedMs, 0);
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    this.#timer.cancel();
  }

  #arm(): Timer {
    return this.#clock.setTimer(BEAT_MS, () => {
      if (this.#closed) return;
      const nowMs = this.#clock.monotonicMs();
      this.#lastLagMs = nowMs - this.#expectedMs;
      this.#expectedMs = nowMs + BEAT_MS;
      this.#timer = this.#arm();
    });
  }
}
