import { findDuplicates, parseManifest } from '../../api/manifest.ts';
import type { ManifestObject, Problem } from '../../api/manifest.ts';
import { planVmNetworks } from '../../controller/vmnetwork/plan.ts';
import type { NetworkPlan } from '../../controller/vmnetwork/plan.ts';
import { InputError } from '../input-error.ts';
import { readManifestText } from '../manifest/manifest-text.ts';

/** One file of `vmnetctl validate`. */
export interface CheckedFile {
  readonly file: string;
  readonly objects: readonly ManifestObject[];
  readonly problems: readonly Problem[];
}

/** Reads and checks one file; a file that cannot be read is a problem like any other. */
export function checkFile(file: string): CheckedFile {
  try {
    return { file, ...parseManifest(readManifestText(file), file) };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const { message, remedy } = error;
    return { file, objects: [], problems: [{ code: 'VMN_MANIFEST_UNREADABLE', file, message, remedy }] };
  }
}

/** Adds a problem to every copy of what is declared more than once, in one file or across files. */
export function withDuplicates(files: readonly CheckedFile[]): CheckedFile[] {
  const duplicates = findDuplicates(files.flatMap(({ objects }) => objects));
  return files.map((checked) => {
    const own = duplicates.filter(({ file }) => file === checked.file);
    return { ...checked, problems: [...checked.problems, ...own] };
  });
}

/** A network that is valid, yet would leave its VMs denied. */
export interface Refusal {
  readonly network: string;
  readonly reason: string;
  readonly message: string;
}

/**
 * What this version's agent would refuse or find in conflict, were these files its folder. Not an error of the
 * manifest: another version, or a class in a file that was not given, may accept it.
 */
export function refusals(files: readonly CheckedFile[]): Refusal[] {
  const objects = withoutCopies(files.flatMap((file) => file.objects));
  const networks = objects.flatMap((entry) => (entry.kind === 'VMNetwork' ? [entry.object] : []));
  const classes = objects.flatMap((entry) => (entry.kind === 'VMNetworkClass' ? [entry.object] : []));
  const plan = planVmNetworks({ networks, classes, nodeName: '', classesInDoubt: false });
  return plan.networks.flatMap(refusal);
}

/** Copies of one object are a problem already; that they also want the same VM is no news. */
function withoutCopies(objects: readonly ManifestObject[]): readonly ManifestObject[] {
  const copies = new Set(findDuplicates(objects).map(({ file, document }) => `${file} ${document ?? 0}`));
  return objects.filter(({ file, index }) => !copies.has(`${file} ${index + 1}`));
}

function refusal({ key, accepted, bound }: NetworkPlan): Refusal[] {
  return [accepted, bound]
    .filter(({ status, reason }) => status === 'False' && reason !== 'NoMatch')
    .map(({ reason, message }) => ({ network: key, reason, message }));
}
