import type { Clock, Timer } from '../../lib/clock.ts';
import { returnFreedMemory } from '../../native/freed-memory.ts';
import type { PassObserver } from '../metrics/pass-observer.ts';

/*
 * V8 collects when something is allocated. An agent at rest allocates next to nothing, so what a start or a burst of work has
 * left would stay resident until the next one, and hosts are at rest nearly all the time. So a while after a pass it is
 * collected, if there is enough of it, and what native code has freed goes back with it.
 */

export interface Heap {
  usedBytes(): number;
  /** Stops the event loop meanwhile. `thoroughly`: compiled code that has not run lately goes as well; it takes twice as long. */
  collect(thoroughly: boolean): void;
}

/** From the first pass after it was collected. Longer than most bursts of passes take; where they never end it is collected no more often. */
export const AFTER_PASS_MS = 10_000;
/** Less than this is not worth stopping for. */
const WORTHWHILE_BYTES = 2 ** 20;
/** To collect thoroughly a heap of this size takes tens of milliseconds. */
const SMALL_BYTES = 32 * 2 ** 20;

export class TidyHeap implements PassObserver {
  readonly #heap: Heap;
  readonly #clock: Clock;
  /** Told of the same passes. */
  readonly #next: PassObserver | null;
  #tidyBytes = 0;
  /** The last collection found little: what is used is in use. One in the midst of a burst finds in use what is garbage soon after. */
  #settled = false;
  #timer: Timer | null = null;

  constructor(heap: Heap, clock: Clock, next: PassObserver | null) {
    this.#heap = heap;
    this.#clock = clock;
    this.#next = next;
  }

  began(): void {
    this.#next?.began();
  }

  passed(...pass: Parameters<PassObserver['passed']>): void {
    this.#next?.passed(...pass);
    this.#tidySoon();
  }

  failed(...pass: Parameters<PassObserver['failed']>): void {
    this.#next?.failed(...pass);
    this.#tidySoon();
  }

  #tidySoon(): void {
    this.#timer ??= this.#clock.setTimer(AFTER_PASS_MS, () => this.#tidy());
  }

  #tidy(): void {
    this.#timer = null;
    const used = this.#heap.usedBytes();
    if (this.#settled && used < this.#tidyBytes + WORTHWHILE_BYTES) return;
    this.#heap.collect(used < SMALL_BYTES);
    this.#tidyBytes = this.#heap.usedBytes();
    this.#settled = used < this.#tidyBytes + WORTHWHILE_BYTES;
    if (!this.#settled) this.#tidySoon();
  }
}

/** That of this process; null where it was not started with --expose-gc. */
export function ownHeap(): Heap | null {
  const { gc } = globalThis;
  if (gc === undefined) return null;
  return {
    usedBytes: () => process.memoryUsage().heapUsed,
    collect: (thoroughly) => {
      gc({ type: 'major', execution: 'sync', flavor: thoroughly ? 'last-resort' : 'regular' });
      returnFreedMemory();
    },
  };
}
