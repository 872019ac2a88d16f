import { escapeText } from './escape.ts';

/** A column: its heading, and where its cells stand. The last column is never padded. */
export interface Column {
  readonly heading: string;
  readonly align?: 'left' | 'right';
  /** Longest cell; what is cut off shows as `…`. */
  readonly limit?: number;
  /** Colours the padded cell; gets the bare text to decide by. */
  readonly paint?: (padded: string, text: string) => string;
}

/** Cells as text or numbers; what is absent shows as `-`. */
export type Cell = string | number | bigint | null | undefined;

const GAP = '  ';

function cellText(cell: Cell, limit = Infinity): string {
  if (cell === null || cell === undefined || cell === '') return '-';
  return fitted(escapeText(String(cell)), limit);
}

/** A cell is not cut below this, even if its line gets too long. */
const LEAST_COLUMNS = 8;

/** What fits into `columns`: whole words if they are most of it, for half a number reads like another number. */
function fitted(text: string, columns: number): string {
  const characters = Array.from(text);
  const most = Math.max(columns, LEAST_COLUMNS);
  if (characters.length <= most) return text;
  const cut = characters.slice(0, most - 1).join('');
  const words = characters[most - 1] === ' ' ? cut : cut.slice(0, cut.lastIndexOf(' ') + 1).trimEnd();
  return `${3 * words.length > 2 * most ? words : cut}…`;
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
  readonly #lineWidth: number;
  #headed = false;

  /** @param lineWidth the last column is cut where a line would be longer */
  constructor(columns: readonly Column[], lineWidth = Infinity) {
    this.#columns = columns;
    this.#lineWidth = lineWidth;
    this.#widths = columns.map((column) => width(column.heading));
  }

  /** The next lines, each ended by a line break; the first call begins with the heading. */
  render(rows: readonly (readonly Cell[])[]): string {
    const texts = rows.map((row) => this.#columns.map(({ limit }, at) => cellText(row[at], limit)));
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
    const end = this.#columns.length - 1;
    const before = this.#widths.slice(0, end).reduce((sum, columns) => sum + columns + GAP.length, 0);
    const cells = this.#columns.map((column, at) => {
      const last = at === end;
      const text = last ? fitted(texts[at] ?? '', this.#lineWidth - before) : (texts[at] ?? '');
      const space = ' '.repeat(Math.max(0, (this.#widths[at] ?? 0) - width(text)));
      const padded = column.align === 'right' ? space + text : last ? text : text + space;
      return painted && column.paint ? column.paint(padded, text) : padded;
    });
    return cells.join(GAP).trimEnd();
  }
}
