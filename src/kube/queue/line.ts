/** Where a key stands in its line; only the line itself looks inside. */
export interface Place {
  readonly key: string;
  before: Place | null;
  after: Place | null;
}

/** Keys in a line, first in, first out; any one can leave it. Each at constant cost. */
export class Line {
  #first: Place | null = null;
  #last: Place | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(key: string): Place {
    const place: Place = { key, before: this.#last, after: null };
    if (this.#last === null) this.#first = place;
    else this.#last.after = place;
    this.#last = place;
    this.#size += 1;
    return place;
  }

  shift(): string | undefined {
    const place = this.#first;
    if (place === null) return undefined;
    this.leave(place);
    return place.key;
  }

  /** Once for each place. */
  leave(place: Place): void {
    const { before, after } = place;
    if (before === null) this.#first = after;
    else before.after = after;
    if (after === null) this.#last = before;
    else after.before = before;
    this.#size -= 1;
  }
}
