import { existsSync } from 'node:fs';
import type { CounterLine } from '../../native/counters.ts';
import { isVmnError } from '../../lib/errors.ts';
import type { HostFilter } from './host-filters.ts';

/** What the counters of some filters said at one moment. */
export interface Look {
  /** CLOCK_MONOTONIC. */
  readonly atMs: number;
  readonly filters: readonly CountedFilter[];
}

export interface CountedFilter extends HostFilter {
  /** Since the maps of the filter were made; only what is not zero. */
  readonly counts: readonly CounterLine[];
}

export interface LookPorts {
  /** Those to look at. */
  readonly filters: () => readonly HostFilter[];
  readonly counters: (pinDir: string) => readonly CounterLine[];
  readonly monotonicMs: () => number;
  /** Told of a filter that cannot be read. One that is gone by then is no failure. */
  readonly unreadable: (filter: HostFilter, message: string) => void;
}

export function look({ filters, counters, monotonicMs, unreadable }: LookPorts): Look {
  const counted = filters().flatMap((filter): CountedFilter[] => {
    try {
      return [{ ...filter, counts: counters(filter.pinDir) }];
    } catch (error) {
      if (!isVmnError(error)) throw error;
      if (existsSync(filter.pinDir)) unreadable(filter, error.message);
      return [];
    }
  });
  // Afterwards: with many filters the reading itself takes time, and the next look begins with the same ones.
  return { atMs: monotonicMs(), filters: counted };
}
