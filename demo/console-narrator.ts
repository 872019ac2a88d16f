import type { Line } from './scenario/ledger.ts';
import type { Narrator } from './scenario/narrator.ts';
import type { Palette } from './palette.ts';

const WIDTH = 110;

/** Tells the story on a terminal, where what is going on is shown on a line of its own, or into a pipe or file, where it is not. */
export class ConsoleNarrator implements Narrator {
  readonly #out: NodeJS.WriteStream;
  readonly #palette: Palette;
  readonly #started = performance.now();
  #steps = 0;
  #group = { name: '', tried: 0, faults: 0 };
  #transient = false;

  constructor(out: NodeJS.WriteStream, palette: Palette) {
    this.#out = out;
    this.#palette = palette;
  }

  step(title: string, text: string): void {
    this.#endGroup();
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(0);
    this.#steps += 1;
    this.#print(
      `\n${this.#palette.bold(`${String(this.#steps)}. ${title}`)} ${this.#palette.dim(`(${seconds} s)`)}`,
    );
    this.#print(`   ${text}`);
  }

  say(text: string): void {
    this.#endGroup();
    this.#print(`   ${text}`);
  }

  busy(text: string): void {
    this.#endGroup();
    if (this.#out.isTTY) this.#passing(`   … ${text}`);
    else this.#print(`   … ${text}`);
  }

  attempt(line: Line): void {
    const colon = line.attempt.indexOf(': ');
    const name = colon < 0 ? '' : line.attempt.slice(0, colon);
    if (name !== this.#group.name) this.#endGroup();
    if (line.faults.length > 0) {
      this.#print(`   ${this.#palette.bad('✗')} ${line.attempt}: ${line.faults.join('; ')}`);
    } else if (name === '') {
      this.#print(
        `   ${this.#palette.good('✓')} ${line.attempt}: ${line.seen}${line.reason === '' ? '' : ` (${line.reason})`}`,
      );
    }
    if (name === '') return;
    this.#group = {
      name,
      tried: this.#group.tried + 1,
      faults: this.#group.faults + Number(line.faults.length > 0),
    };
    if (this.#out.isTTY) this.#passing(`   … ${line.attempt}: ${line.seen}`);
  }

  /** Ends what is under way, so that others can write. */
  finish(): void {
    this.#endGroup();
    this.#clear();
  }

  #endGroup(): void {
    const { name, tried, faults } = this.#group;
    this.#group = { name: '', tried: 0, faults: 0 };
    if (tried === 0) return;
    const mark = faults === 0 ? this.#palette.good('✓') : this.#palette.bad('✗');
    this.#print(
      `   ${mark} ${name}: ${String(tried)} tried, ${faults === 0 ? 'nothing arrived' : `${String(faults)} not as expected`}`,
    );
  }

  #passing(text: string): void {
    this.#clear();
    this.#out.write(this.#palette.dim(text.slice(0, Math.min(WIDTH, this.#out.columns - 1))));
    this.#transient = true;
  }

  #clear(): void {
    if (this.#transient) this.#out.write('\r\x1b[K');
    this.#transient = false;
  }

  #print(text: string): void {
    this.#clear();
    this.#out.write(`${text}\n`);
  }
}
