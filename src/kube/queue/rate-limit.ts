import { backoffMs } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { TokenBucket } from '../../lib/token-bucket.ts';

/*
 * Theory of operation
 *
 * When may a key that failed be tried again? Soon, for it may be the only one and wait for nothing but this; and not too
 * often, for it may be one of ten thousand, and the server ill.
 *
 * Its own back-off begins at 5 ms and doubles up to a minute. client-go goes on to 1000 s, which is longer than people wait.
 *
 * All keys together may return at once a hundred times, then ten times a second. client-go has whoever comes beyond that
 * wait for a token, and this debt has no bound: after an outage that met 10,000 keys the last one waits 1000 s, and so
 * does whatever fails next for a reason of its own. Here nobody owes a token. Whoever finds none is in a storm and waits up to
 * ten seconds more, at random, so that what failed in one instant does not return in one. Those seconds count for its next
 * back-off, so that in a storm a key is at its minute after about four tries instead of fifteen. However many keys fail,
 * and whatever became of them before, each is tried about once a minute and none waits longer than 70 s.
 *
 * A minute is long once the server is well again. The sign of that is a key that succeeds after it failed: then the two
 * that have waited longest are tried at once (`work-queue.ts`). If they succeed, four follow; if not, that was two requests
 * for a success. So what an outage left behind is done as fast as the workers can, and keys that fail for ever cost no more
 * than keys that recover.
 *
 * Somebody else wrote first (409), or the term of leadership ended: this is no failure. The key comes again after a moment,
 * at random, which grows only if the same happens again; no token is taken.
 */

export interface RateLimitOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Delay of a key's first retry, doubled by each further one, ms. Default 5. */
  readonly initialMs?: number;
  /** Most that the own back-off of a key comes to. Default 60,000. */
  readonly longestMs?: number;
  /** Retries of all keys together that add nothing to their own back-off, each second, after the first `burst`. Default 10. */
  readonly perSecond?: number;
  /** Default 100. */
  readonly burst?: number;
  /** Most that is added in a storm. Default 10,000. */
  readonly stormMs?: number;
  /** In [0, 1). */
  readonly random?: (() => number) | undefined;
}

/** Long enough for the cache to show what somebody else wrote. */
const OVERTAKEN = { initialMs: 50, jitter: 0.5 };

export class RateLimit {
  /** What each key that failed had to wait the last time. */
  readonly #waitedMs = new Map<string, number>();
  /** How often in a row a key was not done without having failed. */
  readonly #overtaken = new Map<string, number>();
  readonly #initialMs: number;
  readonly #longestMs: number;
  readonly #stormMs: number;
  readonly #random: () => number;
  readonly #bucket: TokenBucket;

  constructor(options: RateLimitOptions) {
    const { clock, initialMs = 5, longestMs = 60_000, perSecond = 10, burst = 100 } = options;
    this.#initialMs = initialMs;
    this.#longestMs = longestMs;
    this.#stormMs = options.stormMs ?? 10_000;
    this.#random = options.random ?? Math.random;
    this.#bucket = new TokenBucket({ perSecond, burst, clock });
  }

  /** The key failed once more: how long to wait, ms. */
  delayMs(key: string): number {
    const waitedMs = this.#waitedMs.get(key);
    const ownMs = waitedMs === undefined ? this.#initialMs : Math.min(2 * waitedMs, this.#longestMs);
    const delayMs = ownMs + (this.#bucket.tryTake() ? 0 : this.#random() * this.#stormMs);
    this.#waitedMs.set(key, delayMs);
    return delayMs;
  }

  /** The key was not done, and did not fail: how long to wait, ms. */
  overtakenMs(key: string): number {
    const times = this.#overtaken.get(key) ?? 0;
    this.#overtaken.set(key, times + 1);
    return backoffMs(times, { ...OVERTAKEN, longestMs: this.#longestMs, random: this.#random });
  }

  /** The key was done. True if it had failed before: perhaps the others need not wait any more. */
  forget(key: string): boolean {
    this.#overtaken.delete(key);
    return this.#waitedMs.delete(key);
  }
}
