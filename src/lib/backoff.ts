export interface BackoffOptions {
  /** Delay before the first retry, ms. */
  readonly initialMs: number;
  /** No delay is longer, jitter included, ms. */
  readonly longestMs: number;
  /** Each delay is this many times the one before. Default 2. */
  readonly factor?: number;
  /** 0.5 spreads a delay over its upper half, so that clients that failed together do not return together. Default 0. */
  readonly jitter?: number;
  /** In [0, 1). Asked only if there is jitter. */
  readonly random?: () => number;
}

/** Delay before retry number `attempt` (0 is the first), ms. */
export function backoffMs(attempt: number, options: BackoffOptions): number {
  const { initialMs, longestMs, factor = 2, jitter = 0, random = Math.random } = options;
  // factor ** 1024 is Infinity, which min() takes care of; 0 * Infinity would be NaN.
  const fullMs = initialMs === 0 ? 0 : Math.min(initialMs * factor ** attempt, longestMs);
  return jitter === 0 ? fullMs : fullMs * (1 - jitter * random());
}

/** Counts failures in a row and says how long to wait after each. */
export class Backoff {
  readonly #options: BackoffOptions;
  #attempt = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#attempt;
  }

  /** After a failure: how long to wait, ms. */
  nextMs(): number {
    const delayMs = backoffMs(this.#attempt, this.#options);
    this.#attempt += 1;
    return delayMs;
  }

  /** After a success. */
  reset(): void {
    this.#attempt = 0;
  }
}
