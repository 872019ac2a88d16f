import type { CountedFilter } from '../../../src/cli/filters/look.ts';
import type { CounterLine } from '../../../src/native/counters.ts';

/** Frames from the VM. */
export function countLine(reason: number, packets: bigint, bytes = 100n * packets): CounterLine {
  return { direction: 'from-vm', reason, audited: false, packets, bytes };
}

export function countedFilter(
  counts: readonly CounterLine[],
  change: Partial<CountedFilter> = {},
): CountedFilter {
  return {
    vm: 'a',
    tap: 'vmn-0123456789',
    pinDir: '/pins/vmn-0123456789',
    ifindex: 7,
    elsewhere: false,
    counts,
    ...change,
  };
}
