import type { Target } from '../row.ts';
import { spreadOf } from '../statistics.ts';
import { workIn, type CalmFigures, type Change, type Rest } from './figures.ts';
import type { Told } from '../told.ts';

/** Under five round trips, in whole ones. */
const FEW_REQUESTS: Target = { gate: 4, aim: 3 };
/** As from `kubectl apply` to enforced (P18), of which it is a part. */
const QUICK: Target = { gate: 10, aim: 5 };
/** One, for a watch that the server has ended: nothing else is a reason to ask. */
const SILENT: Target = { gate: 1, aim: 0 };

/** What the controller costs a fleet in which little or nothing happens. */
export function calmRows({ rest, changes }: CalmFigures): Told[] {
  return [...changeRows(changes), ...restRows(rest)];
}

function changeRows(changes: readonly Change[]): Told[] {
  const median = (of: (change: Change) => number): number => spreadOf(changes.map(of)).median;
  const longer = (than: 'readMs' | 'writeMs') => ({
    what: 'one VMNetwork more: from its creation until it is bound',
    unit: 'times' as const,
    values: changes.map((change) => change.boundMs / change[than]),
    sides: { ours: median(({ boundMs }) => boundMs), other: median((change) => change[than]), unit: 'ms' },
  });
  const most: Told = {
    ...{ id: 'change-requests', what: 'one VMNetwork more: requests until it is bound' },
    ...{ against: `the most of ${String(changes.length)}`, unit: 'requests', target: FEW_REQUESTS },
    values: [Math.max(...changes.map(({ requests }) => requests))],
  };
  return [
    most,
    { id: 'change-write', against: 'one write of one', ...longer('writeMs'), target: QUICK },
    { id: 'change-read', against: 'one read of one', ...longer('readMs') },
  ];
}

function restRows({ seconds, cpuSeconds, heartbeats, leadership, requests }: Rest): Told[] {
  const rate = (count: number) => ({ unit: 'a minute' as const, values: [(count * 60) / seconds] });
  const against = `${String(Math.round((heartbeats * 60) / seconds))} heartbeats a minute`;
  const events = [...requests.values()].reduce((sum, count) => sum + count, 0) - workIn(requests);
  return [
    {
      id: 'rest-requests',
      what: 'at rest: requests besides its Lease',
      against,
      ...rate(workIn(requests)),
      target: SILENT,
    },
    { id: 'rest-events', what: 'at rest: Events', ...rate(events) },
    { id: 'rest-lease', what: 'at rest: requests for its Lease', ...rate(leadership) },
    {
      id: 'rest-cpu',
      what: 'at rest: CPU, of one core',
      against,
      unit: '%',
      values: [(cpuSeconds / seconds) * 100],
    },
  ];
}
