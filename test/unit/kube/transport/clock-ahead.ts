import { systemClock, type Clock, type Timer } from '../../../../src/lib/clock.ts';

/**
 * The system's clock, as much ahead as a test says. Timers and sleeps take their real time: a request to a real server that
 * is tried again, or given up, must not wait for a test to advance a clock.
 */
export class ClockAhead implements Clock {
  #aheadMs = 0;

  /** What was read before is so much older. */
  goAhead(ms: number): void {
    this.#aheadMs += ms;
  }

  now(): Date {
    return new Date(this.nowMs());
  }

  nowMs(): number {
    return systemClock.nowMs() + this.#aheadMs;
  }

  monotonicNs(): bigint {
    return systemClock.monotonicNs() + BigInt(this.#aheadMs) * 1_000_000n;
  }

  monotonicMs(): number {
    return systemClock.monotonicMs() + this.#aheadMs;
  }

  setTimer(delayMs: number, run: () => void): Timer {
    return systemClock.setTimer(delayMs, run);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(delayMs, signal);
  }
}
