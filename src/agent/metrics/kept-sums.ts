/** Counts by series, for example `from-vm 38`. */
export type Counts = ReadonlyMap<string, bigint>;

/**
 * Sums over filters that come and go, which never fall: a filter that is gone leaves what it had counted. A filter whose
 * counts have fallen is another one of the same name.
 */
export class KeptSums {
  readonly #present = new Map<string, Counts>();
  readonly #gone: Map<string, bigint>;
  #revision = 0;

  /** @param gone what filters that are no more had counted, as an earlier process left it */
  constructor(gone: Counts = new Map()) {
    this.#gone = new Map(gone);
  }

  /** Of the filters that are gone. */
  get gone(): Counts {
    return this.#gone;
  }

  /** Moves with `gone`. */
  get revision(): number {
    return this.#revision;
  }

  /** What a filter has counted by now. */
  seen(filter: string, counts: Counts): void {
    const before = this.#present.get(filter);
    if (before !== undefined && hasFallen(before, counts)) this.left(filter);
    this.#present.set(filter, counts);
  }

  /** The filter is gone. */
  left(filter: string): void {
    const last = this.#present.get(filter);
    this.#present.delete(filter);
    if (last === undefined || last.size === 0) return;
    addTo(this.#gone, last);
    this.#revision += 1;
  }

  /** The filter goes on under another name. */
  forget(filter: string): void {
    this.#present.delete(filter);
  }

  /** All others are gone. */
  keepOnly(filters: ReadonlySet<string>): void {
    for (const filter of this.#present.keys()) if (!filters.has(filter)) this.left(filter);
  }

  total(): Counts {
    const sums = new Map(this.#gone);
    for (const counts of this.#present.values()) addTo(sums, counts);
    return sums;
  }
}

function hasFallen(before: Counts, now: Counts): boolean {
  return [...before].some(([series, count]) => (now.get(series) ?? 0n) < count);
}

function addTo(sums: Map<string, bigint>, counts: Counts): void {
  for (const [series, count] of counts) sums.set(series, (sums.get(series) ?? 0n) + count);
}
