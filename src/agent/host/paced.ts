/** Passes calls on: the first at once, then no more than one each `paceMs`. What came in between is not lost, but one. */
export class Paced {
  readonly #paceMs: number;
  readonly #action: () => void;
  #timer: NodeJS.Timeout | null = null;
  #again = false;
  #closed = false;

  constructor(paceMs: number, action: () => void) {
    this.#paceMs = paceMs;
    this.#action = action;
  }

  call(): void {
    if (this.#closed) return;
    if (this.#timer !== null) {
      this.#again = true;
      return;
    }
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (!this.#again) return;
      this.#again = false;
      this.call();
    }, this.#paceMs);
    this.#action();
  }

  /** Nothing is called afterwards. Idempotent. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
