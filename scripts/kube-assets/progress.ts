/** One line that changes in place on a terminal; elsewhere a line of its own every quarter of a minute. */
const EVERY_MS = 15_000;

export class Progress {
  readonly #write: (text: string) => void;
  readonly #inPlace: boolean;
  readonly #began = performance.now();
  #shownMs = 0;

  constructor(write = (text: string) => void process.stderr.write(text), inPlace = process.stderr.isTTY) {
    this.#write = write;
    this.#inPlace = inPlace;
  }

  get elapsedMs(): number {
    return performance.now() - this.#began;
  }

  /** What is going on; shown only now and then. */
  at(text: string): void {
    const line = `[kube-assets] ${text} · ${seconds(this.elapsedMs)}`;
    if (this.#inPlace) {
      this.#write(`\r\u001b[K${line}`);
    } else if (this.elapsedMs - this.#shownMs >= EVERY_MS) {
      this.#shownMs = this.elapsedMs;
      this.#write(`${line}\n`);
    }
  }

  /** What is always shown. */
  say(text: string): void {
    this.#write(`${this.#inPlace ? '\r\u001b[K' : ''}[kube-assets] ${text}\n`);
  }
}

export function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 1000)} s`;
}
