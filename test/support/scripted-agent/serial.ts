/** Runs tasks of one key one after the other, those of different keys beside each other, at most `width` at a time. */
export class Serial {
  readonly #width: number;
  readonly #waiting = new Map<string, () => Promise<void>>();
  readonly #running = new Map<string, Promise<void>>();

  constructor(width = 8) {
    this.#width = width;
  }

  /** A task that waits is replaced by a newer one of its key. */
  add(key: string, task: () => Promise<void>): void {
    this.#waiting.set(key, task);
    this.#next();
  }

  /** When nothing runs and nothing waits. */
  async drained(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  #next(): void {
    for (const [key, task] of this.#waiting) {
      if (this.#running.size >= this.#width) return;
      if (this.#running.has(key)) continue;
      this.#waiting.delete(key);
      const done = task().finally(() => {
        this.#running.delete(key);
        this.#next();
      });
      this.#running.set(key, done);
    }
  }
}
