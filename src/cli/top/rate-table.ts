import { reasonText } from '../drops/counter-table.ts';
import type { Output } from '../terminal/output.ts';
import { type Cell, Table } from '../terminal/table.ts';
import type { Interval } from './intervals.ts';
import type { DirectionRates, FilterRates } from './rates.ts';

/** Cursor home, erase below: redraws in place without the flicker of a cleared screen. */
const REDRAW = '\u001b[H\u001b[J';

/** One interval. When others follow, a terminal is drawn anew each time, and in a file an empty line stands between. */
export function screen(
  { time, seconds, vms }: Interval,
  output: Pick<Output, 'isTerminal' | 'paint'>,
  goesOn: boolean,
): string {
  const text = `${time}, over ${seconds} s\n${rateTable(vms, output.paint.bind(output))}`;
  if (!goesOn) return text;
  return output.isTerminal ? `${REDRAW}${text}` : `${text}\n`;
}

/** Two lines a filter, one a direction. */
export function rateTable(vms: readonly FilterRates[], paint: Output['paint']): string {
  const table = new Table([
    { heading: 'VM' },
    { heading: 'TAP' },
    { heading: 'DIRECTION' },
    { heading: 'ALLOWED/S', align: 'right' },
    { heading: 'BIT/S', align: 'right' },
    {
      heading: 'DROPPED/S',
      align: 'right',
      paint: (padded, text) => (text === '0' ? padded : paint('bad', padded)),
    },
    { heading: 'TOP REASON' },
  ]);
  return table.render(
    vms.flatMap(({ vm, tap, fromVm, toVm }): Cell[][] => [
      [vm, tap, 'from-vm', ...cells(fromVm)],
      [vm, tap, 'to-vm', ...cells(toVm)],
    ]),
  );
}

function cells({ allowed, dropped, reasons }: DirectionRates): Cell[] {
  const [top] = reasons;
  return [
    short(allowed.packetsPerSecond),
    short(allowed.bitsPerSecond),
    short(dropped.packetsPerSecond),
    top === undefined ? null : reasonText(top.reason, top.audited),
  ];
}

const STEPS = [
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
] as const;

/** `0`, `0.5`, `12`, `1.2k`, `34M`: two digits are enough to see what goes on; -o json has them all. */
export function short(value: number): string {
  for (const [unit, suffix] of STEPS) if (value >= unit) return `${twoDigits(value / unit)}${suffix}`;
  return twoDigits(value);
}

function twoDigits(value: number): string {
  if (value >= 10) return String(Math.floor(value));
  // What is not zero does not look like zero.
  return String(value > 0 ? Math.max(Math.floor(value * 10), 1) / 10 : 0);
}
