import { escapeText } from './escape.ts';

/** A column: its heading, and where its cells stand. The last column is never padded. */
export interface Column {
  readonly heading: string;
  readonly align?: 'left' | 'right';
  /** Colours the padded cell; gets the bare text to decide by. */
  readonly paint?: (padded: string, text: string) => string;
}

/** Cells as text or numbers; what is absent shows as `-`. */
export type Cell = string | number | bigint | null | undefined;

const GAP = '  ';

function cellText(cell: Cell): string {
  if (cell === null || cell === undefined || cell === '') return '-';
  return escapeText(String(cell));
}

/** Length in code points: escaped text holds only characters that we count as one column. */
function width(text: string): number {
  return Array.from(text).length;
}

/**
 * An aligned table that can be written in parts: widths are taken from the rows of the first part and only grow, so a
 * long capture streams without being held in memory. Every cell is escaped here, callers need not think of it.
 */
export class Table {
  readonly #columns: readonly Column[];
  readonly #widths: number[];
  #headed = false;

  constructor(columns: readonly Column[]) {
    this.#columns = columns;
    this.#widths = columns.map((column) => width(column.heading));
  }

  /** The next lines, each ended by a line break; the first call begins with the heading. */
  render(rows: readonly (readonly Cell[])[]): string {
    const texts = rows.map((row) => this.#columns.map((_, at) => cellText(row[at])));
    for (const row of texts) {
      row.forEach((text, at) => (this.#widths[at] = Math.max(this.#widths[at] ?? 0, width(text))));
    }
    const lines = texts.map((row) => this.#line(row, true));
    if (!this.#headed)
      lines.unshift(
        this.#line(
          this.#columns.map((column) => column.heading),
          false,
        ),
      );
    this.#headed = true;
    return lines.map((line) => `${line}\n`).join('');
  }

  #line(texts: readonly string[], painted: boolean): string {
    const cells = this.#columns.map((column, at) => {
      const text = texts[at] ?? '';
      const space = ' '.repeat(Math.max(0, (this.#widths[at] ?? 0) - width(text)));
      const last = at === this.#columns.length - 1;
      const padded = column.align === 'right' ? space + text : last ? text : text + space;
      return painted && column.paint ? column.paint(padded, text) : padded;
    });
    return cells.join(GAP).trimEnd();
  }
}
