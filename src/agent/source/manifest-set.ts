import { objectKey } from '../../api/duplicates.ts';
import { findDuplicates, parseManifest } from '../../api/manifest.ts';
import type { ManifestObject, Problem } from '../../api/manifest.ts';
import type { VmNetworkClass } from '../../api/v1alpha1/vm-network-class.ts';
import type { VmNetwork } from '../../api/v1alpha1/vm-network.ts';

/** One file of the folder, read and judged on its own. */
export interface ManifestFile {
  readonly file: string;
  readonly objects: readonly ManifestObject[];
  readonly problems: readonly Problem[];
  /** Something in it that may have been meant to be a VMNetworkClass could not be read. */
  readonly classInDoubt: boolean;
}

export interface SourcedNetwork {
  readonly file: string;
  readonly network: VmNetwork;
}

/** All that the folder says at one moment. What is broken is absent from it, and so has no intent and is denied. */
export interface ManifestSet {
  readonly networks: readonly SourcedNetwork[];
  readonly classes: readonly VmNetworkClass[];
  readonly problems: readonly Problem[];
  /** Everything was read. While false, nothing is torn down: what seems to be gone may only be illegible. */
  readonly complete: boolean;
  /** A guardrail may exist that could not be read; the built-in one, which may allow more, must not take its place. */
  readonly classesInDoubt: boolean;
}

/** Reads one file's text. `before`: what the file held when it was last looked at. */
export function judgeManifest(text: string, file: string, before: ManifestFile | undefined): ManifestFile {
  const { objects, problems } = parseManifest(text, file);
  const classInDoubt = problems.length > 0 && (heldClass(before) || text.includes('VMNetworkClass'));
  return { file, objects, problems, classInDoubt };
}

/** A file that could not even be read. */
export function illegibleManifest(
  problem: Problem,
  file: string,
  before: ManifestFile | undefined,
): ManifestFile {
  return { file, objects: [], problems: [problem], classInDoubt: heldClass(before) };
}

/** A folder that could not be read: nothing has an intent. */
export function illegibleFolder(problem: Problem): ManifestSet {
  return { networks: [], classes: [], problems: [problem], complete: false, classesInDoubt: true };
}

/** Puts the files together. Of objects that are declared twice no copy counts: which one was meant cannot be known. */
export function combineManifests(files: readonly ManifestFile[]): ManifestSet {
  const objects = files.flatMap((file) => file.objects);
  const duplicates = findDuplicates(objects);
  const refused = new Set(duplicates.map(({ object }) => object));
  const unique = objects.filter((object) => !refused.has(objectKey(object)));
  const problems = [...files.flatMap((file) => file.problems), ...duplicates];
  return {
    networks: unique.flatMap((item) =>
      item.kind === 'VMNetwork' ? [{ file: item.file, network: item.object }] : [],
    ),
    classes: unique.flatMap((item) => (item.kind === 'VMNetworkClass' ? [item.object] : [])),
    problems,
    complete: problems.length === 0,
    classesInDoubt:
      files.some(({ classInDoubt }) => classInDoubt) ||
      objects.some((item) => item.kind === 'VMNetworkClass' && refused.has(objectKey(item))),
  };
}

function heldClass(before: ManifestFile | undefined): boolean {
  return (
    before !== undefined &&
    (before.classInDoubt || before.objects.some(({ kind }) => kind === 'VMNetworkClass'))
  );
}
