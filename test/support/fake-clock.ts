import { type Clock, reasonOf, type Timer } from '../../src/lib/clock.ts';

export interface FakeClockOptions {
  /** Wall clock at the start. Default 2026-01-01T00:00:00Z. */
  readonly nowMs?: number;
  /** CLOCK_MONOTONIC at the start. Default 1,000,000. */
  readonly monotonicMs?: number;
}

interface Pending {
  readonly dueMs: number;
  readonly run: () => void;
}

/**
 * A clock that stands still until it is advanced. Timers run in the order they are due, those of one instant in the
 * order they were set, and all promises that one of them settles run before the next.
 */
export class FakeClock implements Clock {
  #monotonicMs: number;
  /** Wall clock minus monotonic clock. */
  #wallOffsetMs: number;
  readonly #pending = new Set<Pending>();

  constructor(options: FakeClockOptions = {}) {
    this.#monotonicMs = options.monotonicMs ?? 1_000_000;
    this.#wallOffsetMs = (options.nowMs ?? Date.UTC(2026, 0, 1)) - this.#monotonicMs;
  }

  now(): Date {
    return new Date(this.nowMs());
  }

  nowMs(): number {
    return this.#monotonicMs + this.#wallOffsetMs;
  }

  monotonicNs(): bigint {
    return BigInt(Math.round(this.#monotonicMs * 1e6));
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  setTimer(delayMs: number, run: () => void): Timer {
    const pending = { dueMs: this.#monotonicMs + Math.max(delayMs, 0), run };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(reasonOf(signal));
      const aborted = () => {
        timer.cancel();
        reject(reasonOf(signal));
      };
      const timer = this.setTimer(delayMs, () => {
        signal?.removeEventListener('abort', aborted);
        resolve();
      });
      signal?.addEventListener('abort', aborted, { once: true });
    });
  }

  /** Timers and sleeps that have not run. */
  get pending(): number {
    return this.#pending.size;
  }

  /** The wall clock jumps, as by a correction; the monotonic one does not. */
  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Time passes in one go, as for a process that was stopped: no timer runs, all that are due are late. */
  stall(ms: number): void {
    this.#monotonicMs += ms;
  }

  /** Time passes and what is due runs, each at its instant; `afterEach` is called once what it led to has settled. */
  async advance(ms: number, afterEach?: () => void): Promise<void> {
    const untilMs = this.#monotonicMs + ms;
    await settle();
    afterEach?.();
    for (let next = this.#next(); next !== null && next.dueMs <= untilMs; next = this.#next()) {
      this.#monotonicMs = Math.max(this.#monotonicMs, next.dueMs);
      this.#pending.delete(next);
      next.run();
      await settle();
      afterEach?.();
    }
    this.#monotonicMs = Math.max(this.#monotonicMs, untilMs);
  }

  /** The first of those that are due first: a Set keeps the order of setting. */
  #next(): Pending | null {
    let next: Pending | null = null;
    for (const pending of this.#pending) if (next === null || pending.dueMs < next.dueMs) next = pending;
    return next;
  }
}

/** Lets every promise that can settle without time or I/O do so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
