import { Table } from '../../src/cli/terminal/table.ts';
import type { Row } from '../row.ts';
import { cellsOf, HEADINGS } from './cells.ts';

/** The one table of a run. */
export function renderTable(rows: readonly Row[]): string {
  const table = new Table(HEADINGS.map((heading) => ({ heading })));
  return table.render(rows.map(cellsOf));
}
