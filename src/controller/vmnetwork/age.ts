import { keyOf } from '../../kube/resource.ts';
import { oncePerObject } from './once-per-object.ts';

/** What the order among networks goes by. */
export interface Aged {
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

/** Lists of networks are kept in this order. */
const createdMs = oncePerObject(({ metadata }: Aged): number => {
  const parsed = Date.parse(metadata.creationTimestamp ?? '');
  // What is no time must not make the order depend on who is compared with whom.
  return Number.isNaN(parsed) ? Number.MAX_SAFE_INTEGER : parsed;
});
