import { z } from 'zod';

/**
 * A list of strings or numbers that works as a set: bounded, each value once. Server-side apply merges such lists by
 * value (`x-kubernetes-list-type: set`), so two owners can each keep their own entries.
 */
export function uniqueItems<T extends z.ZodType<string | number>>(item: T, maxItems: number) {
  return z
    .array(item)
    .max(maxItems)
    .refine((items) => new Set(items).size === items.length, {
      error: 'must not name the same value twice',
      params: { remedy: 'Remove the repeated entries.' },
    })
    .meta({ 'x-kubernetes-list-type': 'set' });
}
