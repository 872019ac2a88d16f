/** Longer values are hardly ever the same twice. Characters, of parts those of their JSON. */
const LONGEST = 320;
/** Values that are remembered at least; twice as many at most. */
const REMEMBERED = 1024;

/**
 * What many objects have alike, kept once: the words and sentences of conditions, times, labels, the defaults of a spec.
 * V8 makes each of them anew out of each answer, and of ten thousand objects of one kind they are the larger part.
 */
export class SharedValues {
  readonly #texts = new Recent<string>();
  readonly #parts = new Recent<object>();

  /** Puts values that are known in the place of their equals. For an object that nobody else has yet, and nobody changes later. */
  share(object: object): void {
    this.#shareWithin(object);
  }

  /** False if there is something in it that is too long to be shared, so that all of it is. */
  #shareWithin(parts: object): boolean {
    let isShort = true;
    for (const [name, value] of Object.entries(parts)) {
      const known = this.#known(value);
      if (known === undefined) isShort = false;
      else (parts as Record<string, unknown>)[name] = known;
    }
    return isShort;
  }

  /** Undefined, which JSON has not, for what is too long. */
  #known(value: unknown): unknown {
    if (typeof value === 'string')
      return value.length > LONGEST ? undefined : this.#texts.first(value, value);
    if (typeof value !== 'object' || value === null) return value;
    if (!this.#shareWithin(value)) return undefined;
    const text = JSON.stringify(value);
    return text.length > LONGEST ? undefined : this.#parts.first(text, value);
  }
}

/** The first of several equal values, for as long as others follow it soon; then it is forgotten. */
class Recent<V> {
  #young = new Map<string, V>();
  #old = new Map<string, V>();

  first(key: string, value: V): V {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const known = this.#old.get(key) ?? value;
    if (this.#young.size >= REMEMBERED) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, known);
    return known;
  }
}
