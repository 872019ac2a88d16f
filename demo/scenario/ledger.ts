/** One line of the table at the end: something was tried, and this came of it. */
export interface Line {
  /** The step of the story. */
  step: string;
  attempt: string;
  expected: string;
  /** What arrived, and where. */
  seen: string;
  /** Why the kernel dropped it, from its counters. */
  reason: string;
  /** How many frames it counted for that. */
  count: number | null;
  /** Empty when the line is as expected, else what is not. */
  faults: string[];
}

/** All lines so far. */
export class Ledger {
  readonly lines: Line[] = [];
  readonly #onLine: (line: Line) => void;

  constructor(onLine: (line: Line) => void = () => undefined) {
    this.#onLine = onLine;
  }

  add(line: Line): void {
    this.lines.push(line);
    this.#onLine(line);
  }

  get unexpected(): Line[] {
    return this.lines.filter((line) => line.faults.length > 0);
  }
}
