import type { Clock, Timer } from '../../lib/clock.ts';
import type { VmFacts } from './facts.ts';
import type { Machine } from './machine.ts';
import type { VmProcess } from './processes.ts';

/*
 * What VMs say of themselves, asked of their monitors or of libvirt, a few at a time, while everything else goes on. A VM is
 * asked when it is found, when it takes or drops a tap, at the slow look, and, while its taps and its cards do not match,
 * some more times soon: between netdev_add and device_add a tap has no card yet, and no event tells when it has one.
 */

const MOST_AT_ONCE = 4;
const AGAIN_MS = [250, 500, 1000, 2000, 4000];

interface Inquiry {
  process: VmProcess;
  facts: VmFacts | null;
  /** The taps it held when the facts were asked for. */
  answeredFor: string | null;
  /** The taps it held when it was last seen. */
  taps: string;
  state: 'idle' | 'queued' | 'asking';
  /** Something happened since it was last asked. */
  due: boolean;
  tries: number;
  timer: Timer | null;
}

export interface CurrentFacts {
  readonly facts: VmFacts;
  /** They were told when the process held the taps that it holds now. */
  readonly current: boolean;
}

export class Inquiries {
  readonly #machine: Pick<Machine, 'ask'>;
  readonly #clock: Pick<Clock, 'setTimer'>;
  readonly #onAnswer: () => void;
  readonly #inquiries = new Map<string, Inquiry>();
  readonly #queue: Inquiry[] = [];
  readonly #idlers: (() => void)[] = [];
  #asking = 0;
  #closed = false;

  /** `onAnswer`: some VM's facts changed. */
  constructor(machine: Pick<Machine, 'ask'>, clock: Pick<Clock, 'setTimer'>, onAnswer: () => void) {
    this.#machine = machine;
    this.#clock = clock;
    this.#onAnswer = onAnswer;
  }

  /** What is known of a VM besides its command line; null: nothing. `taps` tells the descriptors it holds now. */
  factsOf(process: VmProcess, taps: string, thorough: boolean): CurrentFacts | null {
    const inquiry = this.#inquiryOf(process, taps);
    if (inquiry.taps !== taps) {
      inquiry.taps = taps;
      inquiry.tries = 0;
      this.#ask(inquiry);
    } else if (thorough) {
      inquiry.tries = 0;
      this.#ask(inquiry);
    }
    return inquiry.facts === null ? null : { facts: inquiry.facts, current: inquiry.answeredFor === taps };
  }

  /** Its taps and its cards do not match: to be asked again soon, for some time. */
  unexplained(process: VmProcess): void {
    const inquiry = this.#inquiries.get(keyOf(process));
    if (inquiry === undefined || inquiry.state !== 'idle' || inquiry.timer !== null) return;
    const delayMs = AGAIN_MS[inquiry.tries];
    if (delayMs === undefined || !mayBeAsked(process)) return;
    inquiry.tries += 1;
    inquiry.timer = this.#clock.setTimer(delayMs, () => {
      inquiry.timer = null;
      this.#ask(inquiry);
    });
  }

  /** Resolves when nobody is asked any more, or is about to be. */
  async idle(): Promise<void> {
    if (this.#asking === 0 && this.#queue.length === 0) return;
    await new Promise<void>((resolve) => this.#idlers.push(resolve));
  }

  /** Those of processes that are not among these are forgotten. */
  keep(processes: readonly VmProcess[]): void {
    const there = new Set(processes.map(keyOf));
    for (const [key, inquiry] of this.#inquiries) {
      if (there.has(key)) continue;
      inquiry.timer?.cancel();
      this.#inquiries.delete(key);
    }
  }

  /** Nothing is called afterwards. Idempotent. */
  close(): void {
    this.#closed = true;
    this.keep([]);
    this.#queue.length = 0;
  }

  #inquiryOf(process: VmProcess, taps: string): Inquiry {
    const key = keyOf(process);
    const known = this.#inquiries.get(key);
    if (known !== undefined) {
      if (known.process.commandLine !== process.commandLine) this.#readAnew(known, process);
      return known;
    }
    const inquiry: Inquiry = {
      process,
      facts: null,
      answeredFor: null,
      taps,
      state: 'idle',
      due: false,
      tries: 0,
      timer: null,
    };
    this.#inquiries.set(key, inquiry);
    this.#ask(inquiry);
    return inquiry;
  }

  /** Its command line may name a monitor now. */
  #readAnew(inquiry: Inquiry, process: VmProcess): void {
    inquiry.process = process;
    inquiry.tries = 0;
    this.#ask(inquiry);
  }

  #ask(inquiry: Inquiry): void {
    if (this.#closed || !mayBeAsked(inquiry.process)) return;
    inquiry.due = true;
    inquiry.timer?.cancel();
    inquiry.timer = null;
    if (inquiry.state !== 'idle') return;
    inquiry.state = 'queued';
    this.#queue.push(inquiry);
    this.#next();
  }

  #next(): void {
    if (this.#asking >= MOST_AT_ONCE) return;
    const inquiry = this.#queue.shift();
    if (inquiry === undefined) return;
    this.#asking += 1;
    void this.#run(inquiry).finally(() => {
      this.#asking -= 1;
      this.#next();
      if (this.#asking === 0) for (const tell of this.#idlers.splice(0)) tell();
    });
  }

  async #run(inquiry: Inquiry): Promise<void> {
    const { process } = inquiry;
    inquiry.state = 'asking';
    inquiry.due = false;
    const { taps } = inquiry;
    const facts = await this.#machine.ask(process.pid, process.commandLine).catch(() => null);
    inquiry.state = 'idle';
    if (this.#closed || this.#inquiries.get(keyOf(process)) !== inquiry) return;
    // Nobody to ask now: what was told before holds as far as its taps are the same.
    if (facts !== null) {
      inquiry.facts = facts;
      inquiry.answeredFor = taps;
    }
    if (inquiry.due) this.#ask(inquiry);
    this.#onAnswer();
  }
}

function mayBeAsked({ commandLine }: VmProcess): boolean {
  return commandLine.byLibvirt || commandLine.qmpSockets.length > 0;
}

function keyOf({ pid, startTicks }: VmProcess): string {
  return `${pid} ${startTicks}`;
}
