import { z } from 'zod';

/**
 * A list of objects that works as a map: bounded, each key once. Server-side apply merges such lists by key
 * (`x-kubernetes-list-type: map`), so two owners can each keep their own entries.
 */
export function listMap<T extends z.ZodObject>(item: T, key: keyof T['shape'] & string, maxItems: number) {
  return z
    .array(item)
    .max(maxItems)
    .refine((items) => new Set(items.map((entry) => Reflect.get(entry, key))).size === items.length, {
      error: `must not have the same ${key} twice`,
      params: { remedy: 'Remove the repeated entries.' },
    })
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key] });
}
