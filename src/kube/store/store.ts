import { keyOf } from '../resource.ts';
import type { KubeObject } from '../resource.ts';

/** What is known of a collection. Objects are shared: nobody changes them, a change is a copy. */
export interface Store<T extends KubeObject> {
  get(key: string): T | undefined;
  /** In the order in which the keys came. */
  list(): readonly T[];
  /** The objects for which the indexer of that name gave this value. */
  byIndex(index: string, value: string): readonly T[];
  readonly size: number;
}

/** Index name -> the values under which an object is to be found. Pure: asked once when the object comes. */
export type Indexers<T> = Readonly<Record<string, (object: T) => readonly string[]>>;

interface Entry<T> {
  readonly object: T;
  /** The values as they were given when the object came, one array per indexer, so that removal asks nobody. */
  readonly values: readonly (readonly string[])[];
}

/** A store with indexes that are kept up to date by each change, at the cost of the values of that one object. */
export class IndexedStore<T extends KubeObject> implements Store<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #indexers: readonly (readonly [string, (object: T) => readonly string[]])[];
  /** Index -> value -> keys. */
  readonly #indexes = new Map<string, Map<string, Set<string>>>();

  constructor(indexers: Indexers<T> = {}) {
    this.#indexers = Object.entries(indexers);
    for (const [name] of this.#indexers) this.#indexes.set(name, new Map());
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): T | undefined {
    return this.#entries.get(key)?.object;
  }

  list(): readonly T[] {
    return [...this.#entries.values()].map(({ object }) => object);
  }

  keys(): IterableIterator<string> {
    return this.#entries.keys();
  }

  byIndex(index: string, value: string): readonly T[] {
    const values = this.#indexes.get(index);
    if (values === undefined) throw new TypeError(`there is no index "${index}" in this store`);
    const found: T[] = [];
    for (const key of values.get(value) ?? []) {
      const entry = this.#entries.get(key);
      if (entry !== undefined) found.push(entry.object);
    }
    return found;
  }

  set(object: T): void {
    const key = keyOf(object);
    // Asked first: an indexer that throws leaves the store as it was.
    const values = this.#indexers.map(([, indexer]) => indexer(object));
    const before = this.#entries.get(key);
    this.#entries.set(key, { object, values });
    this.#indexers.forEach(([name], position) => {
      const index = this.#indexes.get(name);
      if (index === undefined) return;
      for (const value of before?.values[position] ?? []) removeFrom(index, value, key);
      for (const value of values[position] ?? []) addTo(index, value, key);
    });
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#indexers.forEach(([name], position) => {
      const index = this.#indexes.get(name);
      if (index === undefined) return;
      for (const value of entry.values[position] ?? []) removeFrom(index, value, key);
    });
  }
}

function addTo(index: Map<string, Set<string>>, value: string, key: string): void {
  const keys = index.get(value);
  if (keys === undefined) index.set(value, new Set([key]));
  else keys.add(key);
}

function removeFrom(index: Map<string, Set<string>>, value: string, key: string): void {
  const keys = index.get(value);
  if (keys === undefined) return;
  keys.delete(key);
  if (keys.size === 0) index.delete(value);
}
