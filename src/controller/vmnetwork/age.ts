import { keyOf } from '../../kube/resource.ts';

interface Aged {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly creationTimestamp?: string | undefined;
  };
}

/** Oldest first. A network without a creation time counts as younger than any with one; equals go by key. */
export function byAge(a: Aged, b: Aged): number {
  return createdMs(a) - createdMs(b) || compare(keyOf(a.metadata), keyOf(b.metadata));
}

/** By code point, independent of the locale. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const created = new WeakMap<Aged, number>();

/** Parsed once for each version of the object: lists of networks are kept in this order. */
function createdMs(aged: Aged): number {
  const known = created.get(aged);
  if (known !== undefined) return known;
  const parsed = Date.parse(aged.metadata.creationTimestamp ?? '');
  // What is no time must not make the order depend on who is compared with whom.
  const ms = Number.isNaN(parsed) ? Number.MAX_SAFE_INTEGER : parsed;
  created.set(aged, ms);
  return ms;
}
