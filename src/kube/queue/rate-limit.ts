import { backoffMs } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { TokenBucket } from '../../lib/token-bucket.ts';

export interface RateLimitOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Delay of a key's first retry, doubled by each further one, ms. Default 5. */
  readonly initialMs?: number;
  /** Default 1,000,000. */
  readonly longestMs?: number;
  /** Retries of all keys together, each second, after the first `burst`. Default 10. */
  readonly perSecond?: number;
  /** Default 100. */
  readonly burst?: number;
}

/** When a key that failed may be tried again: the later of its own back-off and the limit of all keys together. */
export class RateLimit {
  readonly #failures = new Map<string, number>();
  readonly #initialMs: number;
  readonly #longestMs: number;
  readonly #bucket: TokenBucket;

  constructor(options: RateLimitOptions) {
    const { clock, initialMs = 5, longestMs = 1_000_000, perSecond = 10, burst = 100 } = options;
    this.#initialMs = initialMs;
    this.#longestMs = longestMs;
    this.#bucket = new TokenBucket({ perSecond, burst, clock });
  }

  /** One more failure of the key: how long to wait, ms. */
  delayMs(key: string): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const ownMs = backoffMs(failures, { initialMs: this.#initialMs, longestMs: this.#longestMs });
    return Math.max(ownMs, this.#bucket.reserveMs());
  }

  /** Failures of the key since it was last forgotten. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }
}
