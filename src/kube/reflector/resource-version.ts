/**
 * Kubernetes lets a client compare versions of one collection since 1.35 (KEP-5504): decimal numbers of any length. A
 * server that numbers otherwise gives null here, and the caller takes the long way.
 */
export function compareVersions(a: string, b: string): number | null {
  if (!isNumber(a) || !isNumber(b)) return null;
  return a.length === b.length ? (a < b ? -1 : Number(a > b)) : a.length - b.length;
}

interface Versioned {
  readonly resourceVersion?: string;
}

/** Whether `a` is a later version of its object than `b`. What cannot be compared counts as newer: that costs a look at the server. */
export function isNewer(a: Versioned, b: Versioned): boolean {
  if (a.resourceVersion === b.resourceVersion) return false;
  const order = compareVersions(a.resourceVersion ?? '', b.resourceVersion ?? '');
  return order === null || order > 0;
}

function isNumber(version: string): boolean {
  return /^(0|[1-9]\d*)$/.test(version);
}
