import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';

export interface LoopOptions {
  /** One pass over everything. It handles its own failures; what it throws is logged and retried. */
  readonly pass: () => Promise<void>;
  /** When an attachment that failed is due (CLOCK_MONOTONIC), or null. */
  readonly nextRetryNs: () => bigint | null;
  readonly clock: Clock;
  readonly log: Logger;
  /** Pause between two passes that gathers the notifications of one event, ms. */
  readonly gatherMs?: number;
  /** A pass at least this often: what nobody notifies us of is found by then, ms. */
  readonly resyncMs: number;
}

const DEFAULT_GATHER_MS = 30;
/** What comes after a time of quiet is not waited for: what follows it within the gathering pause gets a pass of its own. */
const AFTER_QUIET_MS = 2;
const AFTER_ERROR_MS = 1000;

/**
 * Runs passes one after the other, never two at once: soon after each request, at once after a quiet time, when a retry is due, and every resync
 * period. Requests during a pass lead to exactly one more.
 */
export class ReconcileLoop {
  readonly #options: LoopOptions;
  #timer: NodeJS.Timeout | null = null;
  #dueNs: bigint | null = null;
  #running: Promise<void> | null = null;
  #startedNs: bigint | null = null;
  #requested = false;
  #atOnce = false;
  #stopped = false;
  #passes = 0;
  #lastPassNs: bigint;

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#lastPassNs = options.clock.monotonicNs();
  }

  /** Asks for a pass soon; cheap, and may be called any number of times. */
  request(): void {
    this.#requested = true;
    if (this.#running === null) this.#wakeIn(this.idleMs >= this.#gatherMs ? AFTER_QUIET_MS : this.#gatherMs);
  }

  /**
   * Asks for a pass at once, or right after the one under way: for wishes, whose source has gathered them already. Whatever else
   * is told of all the time, such as the violations of a guest, delays none.
   */
  requestAtOnce(): void {
    this.#requested = true;
    this.#atOnce = true;
    if (this.#running === null) this.#wakeIn(AFTER_QUIET_MS);
  }

  /** Number of passes that ended, failed ones included. */
  get passes(): number {
    return this.#passes;
  }

  /** Milliseconds since a pass last ended (or the loop was made). */
  get idleMs(): number {
    return Number((this.#options.clock.monotonicNs() - this.#lastPassNs) / 1_000_000n);
  }

  /** How long a pass has been under way, or due without having begun, ms; 0 while none is. */
  get overdueMs(): number {
    const sinceNs = this.#startedNs ?? this.#dueNs;
    if (sinceNs === null) return 0;
    return Math.max(0, Number((this.#options.clock.monotonicNs() - sinceNs) / 1_000_000n));
  }

  /** Ends after the pass that is under way, if any. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#running;
  }

  get #gatherMs(): number {
    return this.#options.gatherMs ?? DEFAULT_GATHER_MS;
  }

  #wakeIn(ms: number): void {
    if (this.#stopped) return;
    const dueNs = this.#options.clock.monotonicNs() + BigInt(Math.ceil(ms)) * 1_000_000n;
    if (this.#timer !== null && this.#dueNs !== null && this.#dueNs <= dueNs) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#dueNs = dueNs;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#running = this.#run().finally(() => {
        this.#running = null;
        this.#wakeIn(this.#atOnce ? AFTER_QUIET_MS : this.#requested ? this.#gatherMs : this.#nextWakeMs());
      });
    }, ms);
  }

  async #run(): Promise<void> {
    this.#requested = false;
    this.#atOnce = false;
    this.#startedNs = this.#options.clock.monotonicNs();
    try {
      await this.#options.pass();
    } catch (err) {
      this.#options.log.error({ err }, 'pass failed, will be repeated');
      this.#wakeAfterErrorMs = AFTER_ERROR_MS;
    } finally {
      this.#passes += 1;
      this.#startedNs = null;
      this.#lastPassNs = this.#options.clock.monotonicNs();
    }
  }

  #wakeAfterErrorMs: number | null = null;

  #nextWakeMs(): number {
    const afterErrorMs = this.#wakeAfterErrorMs ?? Infinity;
    this.#wakeAfterErrorMs = null;
    const retryNs = this.#options.nextRetryNs();
    const retryMs =
      retryNs === null ? Infinity : Number((retryNs - this.#options.clock.monotonicNs()) / 1_000_000n) + 1;
    return Math.max(1, Math.min(this.#options.resyncMs, retryMs, afterErrorMs));
  }
}
