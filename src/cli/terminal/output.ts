import { styleText } from 'node:util';
import { jsonText } from './escape.ts';

/** The colours we use, by meaning. */
export type Tone = 'good' | 'bad' | 'warning' | 'quiet' | 'strong';

const FORMAT = { good: 'green', bad: 'red', warning: 'yellow', quiet: 'dim', strong: 'bold' } as const;

/** Either half of a program's output. `NodeJS.WriteStream` satisfies it; tests pass a collector. */
export interface TextSink {
  write(text: string): boolean;
  once(event: 'drain', listener: () => void): unknown;
  isTTY?: boolean;
  /** Width of the terminal. */
  columns?: number;
}

/**
 * Where a command writes: results to `out`, everything else to `err`, so that `-o json` stays parseable.
 * Colours only on a terminal, and never with NO_COLOR (https://no-color.org).
 */
export class Output {
  readonly #out: TextSink;
  readonly #err: TextSink;
  readonly #colour: boolean;

  constructor(out: TextSink, err: TextSink, environment: NodeJS.ProcessEnv) {
    this.#out = out;
    this.#err = err;
    this.#colour = out.isTTY === true && !environment['NO_COLOR'] && environment['TERM'] !== 'dumb';
  }

  get isTerminal(): boolean {
    return this.#out.isTTY === true;
  }

  /** Whether `paint` does anything. */
  get isColoured(): boolean {
    return this.#colour;
  }

  /** Columns of the terminal; null when there is none. */
  get columns(): number | null {
    return this.isTerminal ? (this.#out.columns ?? null) : null;
  }

  paint(tone: Tone, text: string): string {
    return this.#colour ? styleText(FORMAT[tone], text, { validateStream: false }) : text;
  }

  /** Writes text that is already safe. Waits for a slow reader, which is also when a reader that left is noticed. */
  async text(text: string): Promise<void> {
    if (!this.#out.write(text)) await new Promise<void>((resolve) => this.#out.once('drain', resolve));
  }

  /** One JSON document, indented for people on a terminal and in files alike. */
  async json(value: unknown): Promise<void> {
    await this.text(`${jsonText(value, 2)}\n`);
  }

  /** One JSON document on one line: for streams. */
  async jsonLine(value: unknown): Promise<void> {
    await this.text(`${jsonText(value)}\n`);
  }

  /** A remark for the person at the terminal; the caller escapes what is foreign in it. */
  note(text: string): void {
    this.#err.write(`${text}\n`);
  }
}
