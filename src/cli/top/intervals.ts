import type { Clock } from '../../lib/clock.ts';
import type { Look } from '../filters/look.ts';
import { type Rates, ratesBetween } from './rates.ts';

export interface Interval extends Rates {
  /** When it ended. ISO 8601. */
  readonly time: string;
}

export interface IntervalOptions {
  readonly intervalMs: number;
  /** So many, then it ends; Infinity: until `signal`. */
  readonly count: number;
}

/** Rates of one interval after the other. The first comes when the first interval is over. */
export async function* intervals(
  take: () => Look,
  clock: Clock,
  { intervalMs, count }: IntervalOptions,
  signal: AbortSignal,
): AsyncGenerator<Interval, void, undefined> {
  let before = take();
  for (let made = 0; made < count; made += 1) {
    await clock.sleep(intervalMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    const now = take();
    yield { time: clock.now().toISOString(), ...ratesBetween(before, now) };
    before = now;
  }
}
