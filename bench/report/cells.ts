/** How a row reads, on a terminal and in the docs alike. */
import { reaches } from '../compare.ts';
import { isMeasured, type Row, type Unit } from '../row.ts';

export function headingsOf(rows: readonly Row[]): string[] {
  const sides = rows.some(namesItsUnit) ? 'ours : other' : 'ours : other, ns';
  return ['#', 'what', 'against', 'measured: median (quartiles, n)', sides, 'gate', 'aim', 'verdict'];
}

/** Rows that can stand in one table: those of the data path are all in nanoseconds a frame, the others tell. */
export function tablesOf(rows: readonly Row[]): Row[][] {
  const tables = [rows.filter((row) => !namesItsUnit(row)), rows.filter(namesItsUnit)];
  return tables.filter((table) => table.length > 0);
}

const NAMELESS: readonly Unit[] = ['ns', 'x'];

function namesItsUnit({ unit }: Row): boolean {
  return !NAMELESS.includes(unit);
}

export function cellsOf(row: Row): string[] {
  return [
    row.number,
    row.what,
    row.against,
    measured(row),
    sides(row),
    limit(row, row.gate),
    limit(row, row.aim),
    verdict(row),
  ];
}

function measured(row: Row): string {
  if (!isMeasured(row)) return '';
  const [low, high] = row.iqr;
  // Of a fleet there is one measurement, and no spread to tell of.
  if (row.n === 1 && namesItsUnit(row)) return quantity(row, row.median);
  return `${quantity(row, row.median)} (${figure(low)} to ${figure(high)}, n ${row.n})`;
}

function sides(row: Row): string {
  if (!isMeasured(row) || row.sides === undefined) return '';
  const { ours, other, unit } = row.sides;
  return `${figure(ours)} : ${figure(other)}${unit === undefined ? '' : ` ${unit}`}`;
}

function limit(row: Row, value: number | null): string {
  if (value === null) return '';
  return `${row.unit === 'x' ? '≥' : '≤'} ${quantity(row, value)}`;
}

function verdict(row: Row): string {
  if (!isMeasured(row)) return `SKIP: ${row.skipped}`;
  if (row.pass === null) return '';
  if (!row.pass) return 'MISSED';
  return row.aim !== null && reaches(row.unit, row.median, row.aim) ? 'ok, aim reached' : 'ok';
}

function quantity(row: Row, value: number): string {
  return row.unit === 'x' || row.unit === 'times' ? `${figure(value)}x` : `${figure(value)} ${row.unit}`;
}

/** Three digits tell what a machine can repeat. */
function figure(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}
