import type { Clock, Timer } from '../../lib/clock.ts';

/** Calls once when nothing was heard for too long. Costs one timer, however much is heard. */
export class Watchdog {
  readonly #clock: Clock;
  readonly #silenceMs: number;
  readonly #onSilence: () => void;
  #heardMs: number;
  #timer: Timer;

  constructor(clock: Clock, silenceMs: number, onSilence: () => void) {
    this.#clock = clock;
    this.#silenceMs = silenceMs;
    this.#onSilence = onSilence;
    this.#heardMs = clock.monotonicMs();
    this.#timer = clock.setTimer(silenceMs, () => this.#look());
  }

  heard(): void {
    this.#heardMs = this.#clock.monotonicMs();
  }

  stop(): void {
    this.#timer.cancel();
  }

  #look(): void {
    const leftMs = this.#heardMs + this.#silenceMs - this.#clock.monotonicMs();
    if (leftMs > 0) this.#timer = this.#clock.setTimer(leftMs, () => this.#look());
    else this.#onSilence();
  }
}
