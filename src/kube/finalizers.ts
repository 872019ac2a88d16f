import { isNotFound } from './api-error.ts';
import type { KubeClient, PatchOptions } from './client.ts';
import type { KubeObject, ResourceType } from './resource.ts';

/** Somebody asked for the object to be deleted; it stays until its finalizers are gone. */
export function isDeleting(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

export function hasFinalizer(object: KubeObject, finalizer: string): boolean {
  return object.metadata.finalizers?.includes(finalizer) ?? false;
}

export type FinalizerOptions = Pick<PatchOptions, 'fieldManager' | 'signal'>;

/**
 * Adds the finalizer if it is not there; the object as it is then. `isConflict` when somebody wrote it meanwhile. Not for
 * an object that is being deleted: the API server refuses that.
 */
export async function addFinalizer<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType,
  object: T,
  finalizer: string,
  options: FinalizerOptions = {},
): Promise<T> {
  if (hasFinalizer(object, finalizer)) return object;
  return write(client, type, object, [...(object.metadata.finalizers ?? []), finalizer], options);
}

/** Removes the finalizer if it is there; null if the object is gone. `isConflict` when somebody wrote it meanwhile. */
export async function removeFinalizer<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType,
  object: T,
  finalizer: string,
  options: FinalizerOptions = {},
): Promise<T | null> {
  if (!hasFinalizer(object, finalizer)) return object;
  const left = (object.metadata.finalizers ?? []).filter((each) => each !== finalizer);
  try {
    return await write(client, type, object, left, options);
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** The list is replaced as a whole, so it must be that of the version it was made from; the uid keeps off a namesake. */
function write<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType,
  object: T,
  finalizers: readonly string[],
  options: FinalizerOptions,
): Promise<T> {
  const { namespace, name, uid, resourceVersion } = object.metadata;
  const patch = { metadata: { uid, resourceVersion, finalizers } };
  return client.patch<T>(type, { namespace, name }, patch, { type: 'merge', ...options });
}
