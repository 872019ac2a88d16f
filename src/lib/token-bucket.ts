import type { Clock } from './clock.ts';

export interface TokenBucketOptions {
  /** Tokens that come back each second. */
  readonly perSecond: number;
  /** Tokens of a full bucket. */
  readonly burst: number;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

/** Limits a rate: `burst` at once, then `perSecond`. */
export class TokenBucket {
  readonly #options: TokenBucketOptions;
  #tokens: number;
  #atMs: number;

  constructor(options: TokenBucketOptions) {
    this.#options = options;
    this.#tokens = options.burst;
    this.#atMs = options.clock.monotonicMs();
  }

  /**
   * Takes a token that may only come later, and says how long to wait for it, ms. Waits add up without bound: for one that
   * waits before it asks again.
   */
  reserveMs(): number {
    this.#refill();
    this.#tokens -= 1;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#options.perSecond) * 1000;
  }

  /** Takes a token if there is one. */
  tryTake(): boolean {
    this.#refill();
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** No token is out: forgetting such a bucket changes nothing. */
  get full(): boolean {
    this.#refill();
    return this.#tokens >= this.#options.burst;
  }

  #refill(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const came = ((nowMs - this.#atMs) / 1000) * this.#options.perSecond;
    this.#tokens = Math.min(this.#options.burst, this.#tokens + came);
    this.#atMs = nowMs;
  }
}
