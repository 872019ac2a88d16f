interface Versioned {
  readonly resourceVersion?: string;
}

/**
 * Whether `a` is a later version of the same object than `b`. Versions of one object are comparable as numbers
 * (KEP-5504); what is no number is taken for newer, which costs a look at the server and nothing else.
 */
export function isNewer(a: Versioned, b: Versioned): boolean {
  if (a.resourceVersion === b.resourceVersion) return false;
  const [left, right] = [number(a), number(b)];
  return left === null || right === null || left > right;
}

function number({ resourceVersion }: Versioned): bigint | null {
  return resourceVersion !== undefined && /^[0-9]{1,20}$/.test(resourceVersion)
    ? BigInt(resourceVersion)
    : null;
}
