import { Table } from '../../src/cli/terminal/table.ts';
import type { Row } from '../row.ts';
import { cellsOf, headingsOf, tablesOf } from './cells.ts';

/** What a run has measured, as one table if its figures are of one kind. */
export function renderTable(rows: readonly Row[]): string {
  const tables = tablesOf(rows).map((part) => {
    return new Table(headingsOf(part).map((heading) => ({ heading }))).render(part.map(cellsOf));
  });
  return tables.join('\n');
}
