import type { Results } from '../results.ts';
import type { Row } from '../row.ts';
import { cellsOf, headingsOf } from './cells.ts';

const BLOCK = /(<!-- bench: ([a-z]+) -->\n)[\s\S]*?(<!-- \/bench -->)/g;

/**
 * The page with its generated blocks as `results` has them. A block stands between `<!-- bench: NAME -->` and
 * `<!-- /bench -->`; NAME is a group of rows, or `machine`. What is outside of blocks is not touched.
 */
export function withFigures(page: string, results: Results | null): string {
  return page.replaceAll(BLOCK, (_whole, begin: string, name: string, end: string) => {
    const text =
      results === null
        ? 'Not measured yet: run `make bench-filter`, `make bench-fleet` or `make bench-agent`.'
        : block(name, results);
    return `${begin}${text}\n${end}`;
  });
}

function block(name: string, results: Results): string {
  if (name === 'machine') return machineLine(results);
  const rows = results.rows.filter(({ group }) => group === name);
  return rows.length === 0 ? 'Not measured yet.' : table(rows);
}

function machineLine({ machine, kernel, commit, date }: Results): string {
  return `Measured on ${machine.cpu}, ${machine.cores} cores, ${kernel}, at commit \`${commit}\` on ${date}.`;
}

function table(rows: readonly Row[]): string {
  const headings = headingsOf(rows);
  const used = headings.map((_, column) => rows.some((row) => cellsOf(row)[column] !== ''));
  const line = (cells: readonly string[]): string =>
    `| ${cells
      .filter((_, column) => used[column])
      .map((cell) => cell.replaceAll('|', '\\|'))
      .join(' | ')} |`;
  return [line(headings), line(headings.map(() => '---')), ...rows.map((row) => line(cellsOf(row)))].join(
    '\n',
  );
}
