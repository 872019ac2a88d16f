import { keyOf } from '../resource.ts';
import type { KubeObject } from '../resource.ts';
import { MultiMap } from './multi-map.ts';

/** What is known of a collection. Objects are shared: nobody changes them, a change is a copy. */
export interface Store<T extends KubeObject> {
  get(key: string): T | undefined;
  /** In the order in which the keys came. */
  list(): readonly T[];
  /** The objects for which the indexer of that name gave this value. */
  byIndex(index: string, value: string): readonly T[];
  /** How many those are, without going through them. */
  countByIndex(index: string, value: string): number;
  readonly size: number;
}

/** Index name -> the values under which an object is to be found. Pure: asked once when the object comes. */
export type Indexers<T> = Readonly<Record<string, (object: T) => readonly string[]>>;

/** What an indexer gave; one value, as nearly always, without an array around it. */
type Values = string | readonly string[];

interface Entry<T> {
  /** One text for all that names it, and for all of its versions. */
  readonly key: string;
  readonly object: T;
  /** As they were given when the object came, for one indexer after the other, so that removal asks nobody. */
  readonly values: readonly Values[];
}

interface Index<T> {
  readonly name: string;
  readonly indexer: (object: T) => readonly string[];
  readonly keys: MultiMap<string>;
}

/** A store with indexes that are kept up to date by each change, at the cost of the values of that one object. */
export class IndexedStore<T extends KubeObject> implements Store<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #indexes: readonly Index<T>[];

  constructor(indexers: Indexers<T> = {}) {
    this.#indexes = Object.entries(indexers).map(([name, indexer]) => {
      return { name, indexer, keys: new MultiMap<string>() };
    });
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): T | undefined {
    return this.#entries.get(key)?.object;
  }

  list(): readonly T[] {
    return Array.from(this.#entries.values(), ({ object }) => object);
  }

  keys(): IterableIterator<string> {
    return this.#entries.keys();
  }

  byIndex(index: string, value: string): readonly T[] {
    const found: T[] = [];
    for (const key of this.#keysOf(index).get(value)) {
      const entry = this.#entries.get(key);
      if (entry !== undefined) found.push(entry.object);
    }
    return found;
  }

  countByIndex(index: string, value: string): number {
    return this.#keysOf(index).countOf(value);
  }

  set(object: T): void {
    const before = this.#entries.get(keyOf(object));
    const key = before?.key ?? keyOf(object);
    // Asked first: an indexer that throws leaves the store as it was.
    const values = this.#indexes.map(({ indexer }, position) => {
      const given = valuesOf(indexer(object));
      const known = before?.values[position];
      return known !== undefined && isSame(known, given) ? known : given;
    });
    this.#entries.set(key, { key, object, values });
    this.#relist(key, before?.values ?? [], values);
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#relist(entry.key, entry.values, []);
  }

  #keysOf(index: string): MultiMap<string> {
    const keys = this.#indexes.find(({ name }) => name === index)?.keys;
    if (keys === undefined) throw new TypeError(`there is no index "${index}" in this store`);
    return keys;
  }

  #relist(key: string, before: readonly Values[], after: readonly Values[]): void {
    this.#indexes.forEach(({ keys }, position) => {
      const [old = NONE, now = NONE] = [before[position], after[position]];
      if (old === now) return;
      for (const value of eachOf(old)) keys.delete(value, key);
      for (const value of eachOf(now)) keys.add(value, key);
    });
  }
}

const NONE: readonly string[] = [];

/** A copy: what an indexer gave may be part of the object. */
function valuesOf(given: readonly string[]): Values {
  const [first, second] = given;
  if (first === undefined) return NONE;
  return second === undefined ? first : [...given];
}

function isSame(a: Values, b: Values): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  return a.length === b.length && a.every((value, at) => value === b[at]);
}

function eachOf(values: Values): readonly string[] {
  return typeof values === 'string' ? [values] : values;
}
