/** Several values for one key. Nearly all keys of an index have one, so a Set, which takes more than the value, waits for the second. */
export class MultiMap<V extends string | object> {
  readonly #values = new Map<string, V | Set<V>>();

  /** In the order in which they came. */
  get(key: string): Iterable<V> {
    const found = this.#values.get(key);
    return found === undefined ? [] : found instanceof Set ? found : [found];
  }

  countOf(key: string): number {
    const found = this.#values.get(key);
    return found === undefined ? 0 : found instanceof Set ? found.size : 1;
  }

  add(key: string, value: V): void {
    const found = this.#values.get(key);
    if (found === undefined) this.#values.set(key, value);
    else if (found instanceof Set) found.add(value);
    else if (found !== value) this.#values.set(key, new Set([found, value]));
  }

  delete(key: string, value: V): void {
    const found = this.#values.get(key);
    if (found === value) this.#values.delete(key);
    if (!(found instanceof Set)) return;
    found.delete(value);
    const [last] = found;
    if (found.size === 1 && last !== undefined) this.#values.set(key, last);
  }
}
