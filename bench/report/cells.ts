/** How a row reads, on a terminal and in the docs alike. */
import { reaches } from '../compare.ts';
import { isMeasured, type Row } from '../row.ts';

export const HEADINGS = [
  '#',
  'what',
  'against',
  'measured: median (quartiles, n)',
  'ours : other, ns',
  'gate',
  'aim',
  'verdict',
] as const;

export function cellsOf(row: Row): string[] {
  return [
    row.number,
    row.what,
    row.against,
    measured(row),
    isMeasured(row) ? `${figure(row.sides.ours)} : ${figure(row.sides.other)}` : '',
    limit(row, row.gate),
    limit(row, row.aim),
    verdict(row),
  ];
}

function measured(row: Row): string {
  if (!isMeasured(row)) return '';
  const [low, high] = row.iqr;
  return `${quantity(row, row.median)} (${figure(low)} to ${figure(high)}, n ${row.n})`;
}

function limit(row: Row, value: number | null): string {
  if (value === null) return '';
  return `${row.unit === 'ns' ? '≤' : '≥'} ${quantity(row, value)}`;
}

function verdict(row: Row): string {
  if (!isMeasured(row)) return `SKIP: ${row.skipped}`;
  if (row.pass === null) return '';
  if (!row.pass) return 'MISSED';
  return row.aim !== null && reaches(row.unit, row.median, row.aim) ? 'ok, aim reached' : 'ok';
}

function quantity(row: Row, value: number): string {
  return row.unit === 'ns' ? `${figure(value)} ns` : `${figure(value)}x`;
}

/** Three digits tell what a machine can repeat. */
function figure(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}
