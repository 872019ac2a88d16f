import { isGone } from '../api-error.ts';
import type { KubeClient, ObjectList, Selection } from '../client.ts';
import type { KubeObject, ResourceType } from '../resource.ts';

export interface Snapshot<T> {
  /** Of the collection when the first page was read; all pages are of that moment. */
  readonly resourceVersion: string;
  readonly items: readonly T[];
}

/**
 * All objects of one moment, a page at a time. Pages are read from the moment that their token names; when that is
 * compacted meanwhile (410), everything is read at once, as client-go does: another round of pages might never end.
 *
 * @param onObject called with each object as soon as its page is there
 */
export async function listAll<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType,
  selection: Selection,
  limit: number,
  onObject: (object: T) => void,
  signal: AbortSignal,
): Promise<Snapshot<T>> {
  const items: T[] = [];
  let token: string | undefined;
  while (true) {
    let page: ObjectList<T>;
    try {
      page = await client.list<T>(type, { ...selection, limit, continue: token }, signal);
    } catch (error) {
      if (token === undefined || !isGone(error)) throw error;
      const all = await client.list<T>(type, selection, signal);
      all.items.forEach(onObject);
      return { resourceVersion: all.metadata.resourceVersion, items: all.items };
    }
    for (const item of page.items) {
      onObject(item);
      items.push(item);
    }
    token = page.metadata.continue;
    if (token === undefined || token === '') {
      return { resourceVersion: page.metadata.resourceVersion, items };
    }
  }
}
