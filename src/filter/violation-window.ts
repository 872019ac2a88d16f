import type { FilterPolicy } from './filter-policy.ts';

const NS_PER_MS = 1_000_000n;

/** Violations counted from a moment on, and in the window before it. */
interface Window {
  readonly startNs: bigint;
  readonly before: bigint;
  readonly now: bigint;
}

/**
 * When violations add up to something to act on. The filter decides nothing by this: it tells, once, and whoever is told
 * acts as the VMNetwork declares (violation-action.ts).
 *
 * A sliding window, estimated from two: what this window has, and of the one before it the share that the sliding window
 * still covers. Having told, it keeps still until the estimate has come down to half the threshold, so that a rate at the
 * threshold's edge does not tell again and again; or until the policy changes, since what is done about it may be another
 * thing then.
 */
export class ViolationWindow {
  /** null: there has not been a violation yet. */
  #window: Window | null = null;
  #armed = true;
  #crossings = 0;
  /** Of the last violation's policy; its lower 32 bits count, as in C. */
  #generation = 0n;

  /** How often the threshold was reached. */
  get crossings(): number {
    return this.#crossings;
  }

  /** One more violation. Whether it is the one that reaches the threshold, which is not 0. */
  note({ violation, generation }: Pick<FilterPolicy, 'violation' | 'generation'>, nowNs: bigint): boolean {
    const { threshold } = violation;
    const windowMs = BigInt(Math.max(violation.windowMs, 1));
    const window = turned(this.#window, windowMs * NS_PER_MS, nowNs);
    const estimate = estimateOf(window, windowMs, nowNs);
    this.#window = { ...window, now: window.now + 1n };

    const changed = BigInt.asUintN(32, generation) !== this.#generation;
    this.#generation = BigInt.asUintN(32, generation);
    if (changed || estimate <= BigInt(Math.floor(threshold / 2))) this.#armed = true;
    if (!this.#armed || estimate + 1n < BigInt(threshold)) return false;
    this.#armed = false;
    this.#crossings += 1;
    return true;
  }
}

/** The window that holds a moment: this one, the next, or after a pause a new one that begins then. */
function turned(window: Window | null, windowNs: bigint, nowNs: bigint): Window {
  const elapsedNs = window === null ? 0n : since(window.startNs, nowNs);
  if (window === null || elapsedNs >= 2n * windowNs) return { startNs: nowNs, before: 0n, now: 0n };
  if (elapsedNs < windowNs) return window;
  return { startNs: window.startNs + windowNs, before: window.now, now: 0n };
}

/** How many there were within the time of a window that ends now, to the nearest, half up. */
function estimateOf({ startNs, before, now }: Window, windowMs: bigint, nowNs: bigint): bigint {
  const leftMs = windowMs - since(startNs, nowNs) / NS_PER_MS;
  return now + (before * leftMs + windowMs / 2n) / windowMs;
}

/** A clock that goes back stands still. */
function since(startNs: bigint, nowNs: bigint): bigint {
  return nowNs > startNs ? nowNs - startNs : 0n;
}
