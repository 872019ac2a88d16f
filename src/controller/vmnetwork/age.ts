interface Aged {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly creationTimestamp?: string | undefined;
  };
}

/** Key of a namespaced object: `namespace/name`. */
export function keyOf({ metadata }: Aged): string {
  return `${metadata.namespace ?? 'default'}/${metadata.name}`;
}

/** Oldest first. A network without a creation time counts as younger than any with one; equals go by key. */
export function byAge(a: Aged, b: Aged): number {
  return createdMs(a) - createdMs(b) || compare(keyOf(a), keyOf(b));
}

/** By code point, independent of the locale. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function createdMs({ metadata }: Aged): number {
  const created = metadata.creationTimestamp;
  return created === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(created);
}
