import { isConflict } from '../../../kube/api-error.ts';
import { controller } from '../../../kube/controller/controller.ts';
import { workQueue } from '../../../kube/queue/work-queue.ts';
import { Backoff, backoffMs } from '../../../lib/backoff.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import { TokenBucket } from '../../../lib/token-bucket.ts';

/** What is to be done about one object. */
export interface PlannedWrite {
  /** Null: it is as it should be. */
  readonly write: ((signal: AbortSignal) => Promise<void>) | null;
  /** When to look again though nobody asks, ms; null: never. */
  readonly againMs: number | null;
}

export interface WriteQueueOptions {
  /** Of the queue, in the log. */
  readonly name: string;
  /** Asked when a key's turn comes, again before each try. */
  readonly plan: (key: string, signal: AbortSignal) => Promise<PlannedWrite>;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1). */
  readonly random?: (() => number) | undefined;
}

/** Of one object: five at once, then one a second. Of all: a host full of VMs at once, then twenty a second. */
const ONE = { burst: 5, perSecond: 1 };
const ALL = { burst: 200, perSecond: 20 };
const NO_TOKEN = { initialMs: 1000, longestMs: 1000, jitter: 0.2 };
/** Somebody else wrote first; what they wrote is known by then. */
const CONFLICT = { initialMs: 100, longestMs: 100, jitter: 0.5 };
/** With jitter, for a thousand agents lose one API server in one instant. */
const FAILURE = { initialMs: 1000, longestMs: 30_000, jitter: 0.5 };
const WORKERS = 4;

/** Objects that may have to be written: each by one at a time, not too often, and again after a failure. */
export class WriteQueue {
  readonly #options: WriteQueueOptions;
  readonly #queue;
  readonly #all: TokenBucket;
  readonly #keys = new Map<string, { readonly tokens: TokenBucket; readonly backoff: Backoff }>();
  #failing = false;

  constructor(options: WriteQueueOptions) {
    this.#options = options;
    this.#queue = workQueue({ name: options.name, clock: options.clock });
    this.#all = new TokenBucket({ ...ALL, clock: options.clock });
  }

  /** Cheap, and may be called any number of times. */
  add(key: string): void {
    this.#queue.add(key);
  }

  /** The object is no more. */
  forget(key: string): void {
    this.#keys.delete(key);
  }

  /** Works until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { name, clock, log } = this.#options;
    const reconcile = async (key: string) => {
      const againMs = await this.#attempt(key, signal);
      return againMs === null ? undefined : { requeueAfterMs: againMs };
    };
    await controller({ name, queue: this.#queue, workers: WORKERS, reconcile, clock, log }).run(signal);
  }

  /** When to come again, ms. */
  async #attempt(key: string, signal: AbortSignal): Promise<number | null> {
    const { plan, random, log } = this.#options;
    const state = this.#stateOf(key);
    const wait = (options: Parameters<typeof backoffMs>[1]) =>
      backoffMs(0, { ...options, ...(random && { random }) });
    try {
      const { write, againMs } = await plan(key, signal);
      if (write !== null) {
        if (!state.tokens.tryTake() || !this.#all.tryTake()) return wait(NO_TOKEN);
        await write(signal);
      }
      state.backoff.reset();
      if (this.#failing) log.info({ key }, 'the API server takes what is said again');
      this.#failing = false;
      return againMs;
    } catch (err) {
      if (signal.aborted) throw err;
      if (isConflict(err)) return wait(CONFLICT);
      if (!this.#failing)
        log.warn({ err, key }, 'the API server did not take what was said; will be repeated');
      this.#failing = true;
      return state.backoff.nextMs();
    }
  }

  #stateOf(key: string) {
    const { clock, random } = this.#options;
    const known = this.#keys.get(key);
    if (known !== undefined) return known;
    const backoff = new Backoff({ ...FAILURE, ...(random && { random }) });
    const state = { tokens: new TokenBucket({ ...ONE, clock }), backoff };
    this.#keys.set(key, state);
    return state;
  }
}
