import type { Explanation } from '../judge/explanation.ts';
import { jsonText } from '../../terminal/escape.ts';
import type { Output, Tone } from '../../terminal/output.ts';
import { type Cell, type Column, Table } from '../../terminal/table.ts';

/** Turns explanations into text, in parts, so that a capture of any length needs little memory. */
export type Report = (rows: readonly Explanation[]) => string;

/** One object a line, and nothing else. */
export const jsonReport: Report = (rows) =>
  rows
    .map(
      ({
        index,
        direction,
        engine,
        verdict,
        reason,
        reasonCode,
        audited,
        decidingField,
        found,
        wanted,
        ...rest
      }) => {
        const first = { index, direction, engine, verdict, reason, reasonCode, audited };
        return `${jsonText({ ...first, decidingField, found, wanted, ...rest })}\n`;
      },
    )
    .join('');

export interface TableLayout {
  /** Columns of a line; Infinity cuts nothing. */
  readonly lineWidth: number;
  readonly showEngine: boolean;
}

/** Wide enough for what matters of most frames, narrow enough for mail and half a screen. */
const LINE_COLUMNS = 120;
const LEAST_COLUMNS = 100;
/** `255.255.255.255:65535 > 255.255.255.255` fits, and with most addresses the protocol, too. */
const FRAME_COLUMNS = 42;
const LEAST_FRAME_COLUMNS = 30;

export function lineWidth(terminalColumns: number | null): number {
  return terminalColumns === null ? LINE_COLUMNS : Math.max(LEAST_COLUMNS, terminalColumns);
}

const TONES: Readonly<Record<string, Tone>> = {
  allow: 'good',
  reply: 'good',
  audit: 'warning',
  drop: 'bad',
  unknown: 'warning',
};

/** One line a frame and engine, with a heading. */
export function tableReport(output: Output, { lineWidth: columns, showEngine }: TableLayout): Report {
  const spare = columns - LINE_COLUMNS - (showEngine ? 'ENGINE'.length + 2 : 0);
  const limit = Math.max(LEAST_FRAME_COLUMNS, FRAME_COLUMNS + Math.floor(spare / 2));
  const engine: Column[] = showEngine ? [{ heading: 'ENGINE' }] : [];
  const table = new Table(
    [
      { heading: '#', align: 'right' },
      { heading: 'DIR' },
      { heading: 'FRAME', ...(columns === Infinity ? {} : { limit }) },
      ...engine,
      { heading: 'VERDICT', paint: (padded, text) => output.paint(TONES[text] ?? 'quiet', padded) },
      { heading: 'REASON' },
      { heading: 'BECAUSE' },
    ],
    columns,
  );
  return (rows) => table.render(rows.map((row) => cells(row, showEngine)));
}

function cells(row: Explanation, showEngine: boolean): Cell[] {
  const engine = showEngine ? [row.engine] : [];
  const verdict = row.audited ? 'audit' : row.verdict;
  return [row.number, row.direction, frameText(row), ...engine, verdict, row.reason, because(row)];
}

/** That it is IPv4 goes without saying, in a table where room is scarce. */
function frameText({ summary, capturedBytes, frameBytes }: Explanation): string {
  const cut = capturedBytes < frameBytes ? ` [${capturedBytes} of ${frameBytes} bytes captured]` : '';
  return summary.replace(/^IPv4 (?=\d)/, '') + cut;
}

function because({ decidingField, found, wanted }: Explanation): string {
  return `${decidingField} ${found}${wanted === null || wanted === found ? '' : `, wanted ${wanted}`}`;
}
