import type { Clock, Timer } from '../../lib/clock.ts';
import type { Metrics, QueueMetrics } from '../../lib/metrics.ts';
import { DelayedKeys } from './delayed-keys.ts';
import { type LaneOptions, Lanes, ONE_LANE } from './lanes.ts';
import { RateLimit } from './rate-limit.ts';

/**
 * Keys to be worked on, with the rules of client-go's work queue:
 * - a key that is added twice before a worker takes it is taken once;
 * - a key is never with two workers: added while one works on it, it comes once more after that one is done;
 * - keys come in the order in which they were added.
 *
 * What client-go's has not: lanes that take turns, and urgent keys that go first in their lane (`lanes.ts`).
 */
export interface WorkQueue {
  /** With `urgent` a key that waits already goes before those that are not. What was urgent stays so until a worker takes it. */
  add(key: string, options?: AddOptions): void;
  /** Adds after `delayMs`. Of several delays of one key the one that ends first counts. */
  addAfter(key: string, delayMs: number): void;
  /** The same for a key that the caller has and is not done with: if it was urgent it still is. So is what the next two add. */
  addUnfinished(key: string, delayMs: number): void;
  /** Adds after the back-off of the key and the limit of all keys together. For what failed. */
  addRateLimited(key: string): void;
  /**
   * Adds after a moment that grows while this repeats; returns how long that is, ms. For what was not done and did not
   * fail: nobody is charged for it.
   */
  addOvertaken(key: string): number;
  /** The key did not fail: its back-off begins anew. If it had failed before, others that failed are tried now. */
  forget(key: string): void;
  /** The next key, which is the caller's until `done`. Undefined once the signal aborts, or none may be taken after `shutDown`. */
  get(signal: AbortSignal): Promise<string | undefined>;
  done(key: string): void;
  /** Nothing is added any more, delayed keys are dropped; what waits for a worker is still handed out. Idempotent. */
  shutDown(): void;
  /** Keys that wait for a worker. */
  readonly depth: number;
}

export interface AddOptions {
  /** Default false. */
  readonly urgent?: boolean | undefined;
}

export interface WorkQueueOptions {
  /** Label of the metrics. */
  readonly name: string;
  readonly clock: Clock;
  readonly metrics?: Metrics | undefined;
  readonly rateLimit?: RateLimit | undefined;
  /** Default: one lane for all keys. */
  readonly lanes?: LaneOptions | undefined;
}

/** What a worker has. */
interface Taken {
  readonly sinceMs: number;
  readonly urgent: boolean;
}

/** How many keys are tried at once when one succeeds that had failed. Two: what an outage left grows to all of it quickly. */
const HASTENED = 2;

export function workQueue(options: WorkQueueOptions): WorkQueue {
  return new Queue(options);
}

class Queue implements WorkQueue {
  readonly #clock: Clock;
  readonly #limit: RateLimit;
  readonly #metrics: QueueMetrics | undefined;
  /** Keys that wait for a worker. */
  readonly #ready: Lanes;
  /** Keys that need work, with the time at which they began to: all of `#ready`, and those added while worked on. */
  readonly #dirty = new Map<string, number>();
  /** Keys that are urgent when a worker takes them the next time; some are delayed until then. */
  readonly #urgent = new Set<string>();
  readonly #processing = new Map<string, Taken>();
  readonly #delayed = new DelayedKeys();
  /** Of the delayed keys those that wait because they failed, the longest first. */
  readonly #failed = new Set<string>();
  /** Workers that wait for a key; there are none while a key may be taken. */
  readonly #waiting = new Set<(key: string | undefined) => void>();
  #timer: Timer | null = null;
  #timerDueMs = Infinity;
  #down = false;

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock;
    this.#ready = new Lanes(options.lanes ?? ONE_LANE);
    this.#limit = options.rateLimit ?? new RateLimit({ clock: options.clock });
    this.#metrics = options.metrics?.queue(options.name, () => this.#view());
  }

  get depth(): number {
    return this.#ready.size;
  }

  add(key: string, { urgent = false }: AddOptions = {}): void {
    this.#failed.delete(key);
    if (this.#down) return;
    if (urgent) {
      this.#urgent.add(key);
      this.#ready.hasten(key);
    }
    if (this.#dirty.has(key)) return;
    this.#dirty.set(key, this.#clock.monotonicMs());
    this.#metrics?.added();
    if (this.#processing.has(key)) return;
    this.#wait(key);
    this.#serve();
  }

  addAfter(key: string, delayMs: number): void {
    if (this.#down) return;
    this.#metrics?.retried();
    if (!(delayMs > 0)) return this.add(key);
    this.#delayed.add(key, this.#clock.monotonicMs() + delayMs);
    this.#arm();
  }

  addUnfinished(key: string, delayMs: number): void {
    if (this.#down) return;
    if (this.#processing.get(key)?.urgent === true) this.#urgent.add(key);
    this.addAfter(key, delayMs);
  }

  addRateLimited(key: string): void {
    if (this.#down) return;
    this.#failed.add(key);
    this.addUnfinished(key, this.#limit.delayMs(key));
  }

  addOvertaken(key: string): number {
    const delayMs = this.#limit.overtakenMs(key);
    this.addUnfinished(key, delayMs);
    return delayMs;
  }

  forget(key: string): void {
    this.#failed.delete(key);
    if (this.#limit.forget(key)) this.#hasten();
  }

  get(signal: AbortSignal): Promise<string | undefined> {
    if (signal.aborted) return Promise.resolve(undefined);
    const key = this.#ready.take();
    if (key !== undefined) return Promise.resolve(this.#handOut(key));
    if (this.#down) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const answer = (next: string | undefined) => {
        this.#waiting.delete(answer);
        signal.removeEventListener('abort', aborted);
        resolve(next);
      };
      const aborted = () => answer(undefined);
      this.#waiting.add(answer);
      signal.addEventListener('abort', aborted, { once: true });
    });
  }

  done(key: string): void {
    const taken = this.#processing.get(key);
    if (taken === undefined) return;
    this.#processing.delete(key);
    this.#metrics?.done((this.#clock.monotonicMs() - taken.sinceMs) / 1000);
    this.#ready.done(key);
    if (this.#dirty.has(key)) this.#wait(key);
    this.#serve();
  }

  shutDown(): void {
    this.#down = true;
    this.#delayed.clear();
    this.#failed.clear();
    this.#urgent.clear();
    this.#arm();
    for (const answer of this.#waiting) answer(undefined);
  }

  #wait(key: string): void {
    this.#ready.push(key, this.#urgent.has(key));
  }

  /** Workers that wait get the keys that may be taken, who has waited longest first. */
  #serve(): void {
    for (const answer of this.#waiting) {
      const key = this.#ready.take();
      if (key === undefined) return;
      answer(this.#handOut(key));
    }
  }

  /** From here on the key is a worker's. */
  #handOut(key: string): string {
    const nowMs = this.#clock.monotonicMs();
    this.#metrics?.taken((nowMs - (this.#dirty.get(key) ?? nowMs)) / 1000);
    this.#dirty.delete(key);
    this.#processing.set(key, { sinceMs: nowMs, urgent: this.#urgent.delete(key) });
    return key;
  }

  /** Something is well again that was not: whoever has waited longest need not wait any more. */
  #hasten(): void {
    let left = HASTENED;
    for (const key of this.#failed) {
      if (left === 0) break;
      left -= 1;
      this.#delayed.remove(key);
      this.add(key);
    }
    this.#arm();
  }

  /** One timer, for the delayed key that is due first. */
  #arm(): void {
    const dueMs = this.#delayed.nextDueMs() ?? Infinity;
    if (dueMs === this.#timerDueMs) return;
    this.#timer?.cancel();
    this.#timer = null;
    this.#timerDueMs = dueMs;
    if (dueMs === Infinity) return;
    this.#timer = this.#clock.setTimer(dueMs - this.#clock.monotonicMs(), () => {
      this.#timerDueMs = Infinity;
      for (const key of this.#delayed.takeDue(this.#clock.monotonicMs())) this.add(key);
      this.#arm();
    });
  }

  #view() {
    const nowMs = this.#clock.monotonicMs();
    let unfinishedMs = 0;
    let longestMs = 0;
    for (const { sinceMs } of this.#processing.values()) {
      unfinishedMs += nowMs - sinceMs;
      longestMs = Math.max(longestMs, nowMs - sinceMs);
    }
    return {
      depth: this.depth,
      unfinishedWorkSeconds: unfinishedMs / 1000,
      longestRunningSeconds: longestMs / 1000,
    };
  }
}
