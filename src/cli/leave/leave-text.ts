import type { Output, Tone } from '../terminal/output.ts';
import { Table } from '../terminal/table.ts';
import type { Drained } from './drain.ts';
import type { TapInUse } from './in-use.ts';
import type { Uninstalled } from './uninstall.ts';

const OUTCOMES = { closed: 'closed', 'was-closed': 'was closed', failed: 'FAILED' } as const;

export function drainTable(taps: readonly Drained[], output: Pick<Output, 'paint'>): string {
  const toneOf = (text: string): Tone => (text === OUTCOMES.failed ? 'bad' : 'good');
  const table = new Table([
    { heading: 'VM' },
    { heading: 'INTERFACE' },
    { heading: 'OUTCOME', paint: (padded, text) => output.paint(toneOf(text), padded) },
    { heading: 'WHY' },
  ]);
  return table.render(
    taps.map(({ vm, tap, outcome, error }) => [
      vm,
      tap,
      OUTCOMES[outcome],
      error === null ? null : `${error.message} ${error.remedy}`,
    ]),
  );
}

export function inUseTable(taps: readonly TapInUse[], output: Pick<Output, 'paint'>): string {
  const table = new Table([
    { heading: 'VM' },
    { heading: 'INTERFACE' },
    {
      heading: 'CLOSED',
      paint: (padded, text) => output.paint(text === 'yes' ? 'good' : 'bad', padded),
    },
    { heading: 'PIDS' },
    { heading: 'WHY' },
  ]);
  return table.render(
    taps.map(({ vm, tap, closed, pids, why }) => [vm, tap, closed ? 'yes' : 'no', pids.join(', '), why]),
  );
}

export function removedTable(removed: Uninstalled['removed']): string {
  return new Table([{ heading: 'REMOVED' }, { heading: 'WHAT' }]).render(
    removed.map(({ what, on }) => [what, on]),
  );
}
