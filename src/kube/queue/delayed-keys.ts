interface Entry {
  readonly key: string;
  readonly dueMs: number;
}

/**
 * Keys that are due later, each once, at the earliest time that was asked for. A binary heap; an entry that was removed, or
 * that an earlier one has replaced, stays in it until it comes to the top, where `#due` tells that it is void.
 */
export class DelayedKeys {
  readonly #heap: Entry[] = [];
  readonly #due = new Map<string, number>();

  get size(): number {
    return this.#due.size;
  }

  add(key: string, dueMs: number): void {
    const before = this.#due.get(key);
    if (before !== undefined && before <= dueMs) return;
    this.#due.set(key, dueMs);
    this.#push({ key, dueMs });
  }

  /** Takes one out before it is due; false if it is not there. */
  remove(key: string): boolean {
    return this.#due.delete(key);
  }

  /** When the first is due, or null. */
  nextDueMs(): number | null {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (this.#due.get(top.key) === top.dueMs) return top.dueMs;
      this.#pop();
    }
    return null;
  }

  /** Takes all that are due, the longest overdue first. */
  takeDue(nowMs: number): string[] {
    const keys: string[] = [];
    for (let dueMs = this.nextDueMs(); dueMs !== null && dueMs <= nowMs; dueMs = this.nextDueMs()) {
      const { key } = this.#pop();
      this.#due.delete(key);
      keys.push(key);
    }
    return keys;
  }

  clear(): void {
    this.#heap.length = 0;
    this.#due.clear();
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#at(parent).dueMs <= entry.dueMs) break;
      heap[at] = this.#at(parent);
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): Entry {
    const heap = this.#heap;
    const top = this.#at(0);
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.#at(child + 1).dueMs < this.#at(child).dueMs) child += 1;
      if (this.#at(child).dueMs >= last.dueMs) break;
      heap[at] = this.#at(child);
      at = child;
    }
    heap[at] = last;
    return top;
  }

  #at(index: number): Entry {
    const entry = this.#heap[index];
    if (entry === undefined) throw new RangeError(`heap index ${index} of ${this.#heap.length}`);
    return entry;
  }
}
