import type { Clock, Timer } from '../../lib/clock.ts';

/** Pause after an answer: hosts come to be late one after another, and those of this time are asked for together. */
const PAUSE_MS = 1_000;
/** Pause after a failure. */
const RETRY_MS = 10_000;

/**
 * Hosts whose Leases are to be asked for. All that are there are asked for together, and one question is under way at a
 * time: who is added meanwhile is for the next, for the answer may be older. A question that failed is asked again, with all
 * who were added since.
 */
export class LeaseQuestions {
  readonly #clock: Clock;
  readonly #ask: (nodeNames: readonly string[]) => Promise<boolean>;
  #waiting = new Set<string>();
  #isAsking = false;
  #pause: Timer | null = null;
  #closed = false;

  /** @param ask false: there was no answer. Must not throw. */
  constructor(clock: Clock, ask: (nodeNames: readonly string[]) => Promise<boolean>) {
    this.#clock = clock;
    this.#ask = ask;
  }

  /** To be asked for now or after the pause. */
  add(nodeName: string): void {
    if (this.#closed) return;
    this.#waiting.add(nodeName);
    if (!this.#isAsking && this.#pause === null) void this.#next();
  }

  close(): void {
    this.#closed = true;
    this.#waiting.clear();
    this.#pause?.cancel();
    this.#pause = null;
  }

  async #next(): Promise<void> {
    this.#isAsking = true;
    // Others may be due in this very turn.
    await Promise.resolve();
    const nodeNames = [...this.#waiting];
    this.#waiting = new Set();
    const isAnswered = await this.#ask(nodeNames);
    this.#isAsking = false;
    if (this.#closed) return;
    if (!isAnswered) for (const nodeName of nodeNames) this.#waiting.add(nodeName);
    this.#pause = this.#clock.setTimer(isAnswered ? PAUSE_MS : RETRY_MS, () => {
      this.#pause = null;
      if (this.#waiting.size > 0) void this.#next();
    });
  }
}
