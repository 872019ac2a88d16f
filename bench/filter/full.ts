/**
 * P1 and P2: the full filter. The gates are for frames that pass: they are what a VM sends and receives, and they are asked
 * every question. A dropped frame ends at its rule, but is told about; what it costs the host is P3.
 */
import type { Target } from '../row.ts';
import type { Judgement, Venue } from './judgement.ts';
import { allowed, dropped } from './subjects.ts';

const TARGETS: Record<Venue, { number: string; target: Target }> = {
  'in place': { number: 'P1', target: { gate: 15, aim: 8 } },
  'test run': { number: 'P2', target: { gate: 12, aim: 5 } },
};

const WAYS = { 'from-vm': 'from the VM', 'to-vm': 'to the VM' } as const;

export const FULL: readonly Judgement[] = [
  ...full('in place'),
  {
    id: 'P1-from-vm-written',
    group: 'filter',
    number: 'P1',
    venue: 'in place',
    what: 'full filter, from the VM, one write a frame',
    subject: { ...allowed('from-vm'), written: true },
    passes: true,
    target: null,
  },
  ...full('test run'),
];

function full(venue: Venue): Judgement[] {
  const { number, target } = TARGETS[venue];
  return (['from-vm', 'to-vm'] as const).flatMap((direction) => {
    const id = `${number}-${direction}`;
    const common = { group: 'filter', number, venue } as const;
    const what = `full filter, ${WAYS[direction]}`;
    return [
      { ...common, id, what, subject: allowed(direction), passes: true, target },
      {
        ...common,
        id: `${id}-dropped`,
        what: `${what}, dropped`,
        subject: dropped(direction),
        passes: false,
        target: null,
      },
    ];
  });
}
