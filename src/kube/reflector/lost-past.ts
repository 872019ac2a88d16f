import { keyOf } from '../resource.ts';
import type { KubeObject } from '../resource.ts';
import type { Store } from '../store/store.ts';
import { compareVersions } from './resource-version.ts';

/**
 * Whether a list cannot be the continuation of what was told before: the server lost its data, or was given older ones
 * back. Either the collection is older than it was, or an object from the time of which all was told is not among those
 * told. Only what was made since and is missing now looks like any end.
 *
 * @param store what was told until now
 * @param version of the collection now
 * @param heard version up to which all was told; '' if nothing was
 */
export function hasLostPast<T extends KubeObject>(
  store: Store<T>,
  items: readonly T[],
  version: string,
  heard: string,
): boolean {
  const order = compareVersions(version, heard);
  if (order === null) return false;
  if (order < 0) return true;
  return items.some((item) => {
    const { resourceVersion = '' } = item.metadata;
    const age = compareVersions(resourceVersion, heard);
    if (age === null || age > 0) return false;
    return store.get(keyOf(item))?.metadata.resourceVersion !== resourceVersion;
  });
}
