import type { Line } from './scenario/ledger.ts';
import type { Palette } from './palette.ts';

/** One row: the same attempt in steps that follow each other and came out alike. */
interface Row {
  steps: string[];
  line: Line;
  counts: string[];
  faults: string[];
}

const HEAD = ['attempt', 'expected', 'seen at the far end', 'drop reason', 'count'] as const;

/**
 * The table at the end. An attempt made in several steps with the same outcome is one row, its counts joined by " + ";
 * sections are named by those steps.
 */
export function renderTable(lines: readonly Line[], palette: Palette): string {
  const rows = joinRows(lines);
  const cells = rows.map((row) => [
    row.line.attempt,
    row.line.expected,
    row.line.seen,
    row.line.reason,
    row.counts.join(' + '),
  ]);
  const widths = HEAD.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)),
  );
  const format = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === HEAD.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  const out = [palette.bold(format(HEAD)), widths.map((width) => '─'.repeat(width)).join('  ')];
  let section = '';
  rows.forEach((row, index) => {
    const name = row.steps.join(', then ');
    if (name !== section) out.push(palette.dim(`· ${name}`));
    section = name;
    const text = format(cells[index] ?? []);
    out.push(row.faults.length === 0 ? text : palette.bad(`${text}  ✗ ${row.faults.join('; ')}`));
  });
  return out.join('\n');
}

function joinRows(lines: readonly Line[]): Row[] {
  const rows = new Map<string, Row>();
  for (const line of lines) {
    const key = [line.attempt, line.expected, line.seen, line.reason, line.faults.join()].join('\n');
    const row = rows.get(key) ?? { steps: [], line, counts: [], faults: line.faults };
    row.steps.push(line.step);
    if (line.count !== null) row.counts.push(String(line.count));
    rows.set(key, row);
  }
  return bySection([...rows.values()]);
}

/** Rows of one section together, sections in the order of their first row. */
function bySection(rows: Row[]): Row[] {
  const sections = new Map<string, Row[]>();
  for (const row of rows) {
    const name = row.steps.join();
    sections.set(name, [...(sections.get(name) ?? []), row]);
  }
  return [...sections.values()].flat();
}
