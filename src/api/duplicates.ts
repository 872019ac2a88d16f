import type { ManifestObject } from './manifest.ts';
import { printable } from './printable.ts';
import type { Problem } from './problem.ts';

/** `KIND NAMESPACE/NAME`: what makes two objects the same object. */
export function objectKey(object: ManifestObject): string {
  return object.kind === 'VMNetwork'
    ? `VMNetwork ${object.object.metadata.namespace}/${object.object.metadata.name}`
    : `VMNetworkClass ${object.object.metadata.name}`;
}

/**
 * A problem for each copy of an object that is declared more than once, within a file or across files. There is no
 * telling which copy is meant, so none is: the caller drops all of them.
 */
export function findDuplicates(objects: readonly ManifestObject[]): Problem[] {
  const copies = new Map<string, ManifestObject[]>();
  for (const object of objects) {
    const key = objectKey(object);
    copies.set(key, [...(copies.get(key) ?? []), object]);
  }
  return [...copies.entries()].flatMap(([key, same]) =>
    same.length === 1 ? [] : same.map((copy) => duplicate(key, copy, same)),
  );
}

function duplicate(key: string, copy: ManifestObject, same: readonly ManifestObject[]): Problem {
  const others = same
    .filter((other) => other !== copy)
    .map(({ file, index }) => `${printable(file)} (document ${index + 1})`);
  const shown = others.slice(0, 3).join(', ') + (others.length > 3 ? ` and ${others.length - 3} more` : '');
  return {
    file: copy.file,
    document: copy.index + 1,
    object: key,
    message: `is declared more than once, also in ${shown}`,
    remedy: 'Keep one of the copies. Until then all are refused, and the VMs they select stay denied.',
    code: 'VMN_MANIFEST_DUPLICATE',
  };
}
