import { jsonText } from '../terminal/escape.ts';
import type { Output, Tone } from '../terminal/output.ts';
import { Table } from '../terminal/table.ts';
import type { Judgement } from './judgement.ts';

/** Where judgements go, in parts, so that a capture of any length needs little memory. */
export interface Report {
  part(rows: readonly Judgement[]): Promise<void>;
  /** Called once, also when the capture turns out to be damaged. */
  end(counts: JudgementCounts): Promise<void>;
}

export interface JudgementCounts {
  readonly allowed: number;
  readonly dropped: number;
  readonly unknown: number;
}

const PART_ROWS = 200;

/** Writes every judgement to the report and counts them. What the source throws is thrown on once the report ends. */
export async function writeReport(judgements: Iterable<Judgement>, report: Report): Promise<JudgementCounts> {
  const verdicts = { allow: 0, drop: 0, unknown: 0 };
  let rows: Judgement[] = [];
  try {
    for (const judgement of judgements) {
      verdicts[judgement.verdict]++;
      rows.push(judgement);
      if (rows.length === PART_ROWS) {
        await report.part(rows);
        rows = [];
      }
    }
  } finally {
    if (rows.length > 0) await report.part(rows);
    await report.end({ allowed: verdicts.allow, dropped: verdicts.drop, unknown: verdicts.unknown });
  }
  return { allowed: verdicts.allow, dropped: verdicts.drop, unknown: verdicts.unknown };
}

const TONES: Readonly<Record<string, Tone>> = { allow: 'good', drop: 'bad', unknown: 'warning' };

/** One line per frame; the totals go to stderr. */
export class TableReport implements Report {
  readonly #output: Output;
  readonly #table: Table;

  constructor(output: Output) {
    this.#output = output;
    this.#table = new Table([
      { heading: '#', align: 'right' },
      { heading: 'DIRECTION' },
      { heading: 'VERDICT', paint: (padded, text) => output.paint(TONES[text] ?? 'quiet', padded) },
      { heading: 'REASON' },
      { heading: 'FRAME' },
      { heading: 'RULE' },
    ]);
  }

  async part(rows: readonly Judgement[]): Promise<void> {
    await this.#output.text(this.#table.render(rows.map(cells)));
  }

  async end(counts: JudgementCounts): Promise<void> {
    const unknown = counts.unknown > 0 ? `, ${counts.unknown} not judged` : '';
    this.#output.note(`${counts.allowed} allowed, ${counts.dropped} dropped${unknown}`);
    await Promise.resolve();
  }
}

function cells(row: Judgement): (string | number)[] {
  const cut =
    row.capturedBytes < row.frameBytes ? ` [${row.capturedBytes} of ${row.frameBytes} bytes captured]` : '';
  const macs = row.reason.endsWith('Mac') ? ` [${row.sourceMac ?? '?'} > ${row.destinationMac ?? '?'}]` : '';
  return [row.number, row.direction, row.verdict, row.reason, row.summary + macs + cut, row.rule];
}

/** One document `{policy, frames: [...], counts}`, written as it grows; one frame a line. */
export class JsonReport implements Report {
  readonly #output: Output;
  readonly #policy: unknown;
  #written = 0;

  constructor(output: Output, policy: unknown) {
    this.#output = output;
    this.#policy = policy;
  }

  async part(rows: readonly Judgement[]): Promise<void> {
    const items = rows.map((row, at) => `${this.#written + at === 0 ? '' : ','}\n${jsonText(row)}`);
    const head = this.#written === 0 ? this.#head() : '';
    this.#written += rows.length;
    await this.#output.text(head + items.join(''));
  }

  async end(counts: JudgementCounts): Promise<void> {
    const head = this.#written === 0 ? this.#head() : '';
    await this.#output.text(`${head}\n],\n"counts": ${jsonText(counts)}}\n`);
  }

  #head(): string {
    return `{"policy": ${jsonText(this.#policy)},\n"frames": [`;
  }
}
