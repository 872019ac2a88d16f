import { join } from 'node:path';
import { configuredMirror, Unavailable } from './mirror.ts';
import { PackageRoot, type Package } from './package-root.ts';
import type { WantedKernel } from './wanted-kernels.ts';

/** Where a kernel is, before it is downloaded. */
export interface FoundKernel {
  release: string;
  version: string;
  suite: string;
  root: PackageRoot;
  packages: Package[];
}

export type Progress = (text: string) => void;

const IMAGE = /^linux-(?:image|binary)-(\d+\.\d+\.\d+\S*-cloud-amd64)$/;

/** The newest package that is wanted; `folder` is for apt's lists. A suite that is gone from the mirror is no failure while another has it. */
export async function findNewest(
  wanted: WantedKernel,
  folder: string,
  progress: Progress,
): Promise<FoundKernel> {
  const mirror = await configuredMirror();
  const reasons: string[] = [];
  let newest: FoundKernel | null = null;
  for (const suite of wanted.suites) {
    progress(`looking for Linux ${wanted.name} in ${suite}`);
    try {
      const found = await findIn(await PackageRoot.open(mirror, suite, join(folder, 'apt', suite)), wanted);
      if (found === null) reasons.push(`not in ${suite}`);
      else if (newest === null || compareVersions(found.version, newest.version) > 0) newest = found;
      if (newest !== null && wanted.series !== '') break;
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      reasons.push(error.message);
    }
  }
  if (newest === null) throw new Unavailable(reasons.join('; '));
  return newest;
}

async function findIn(root: PackageRoot, wanted: WantedKernel): Promise<FoundKernel | null> {
  const candidates = [
    ...(await root.packages('linux-image-', IMAGE)),
    ...(await root.packages('linux-binary-', IMAGE)),
  ].filter(({ version }) => version.startsWith(wanted.series));
  const newest = candidates.sort((a, b) => compareVersions(a.version, b.version)).at(-1);
  if (newest === undefined) return null;
  const release = IMAGE.exec(newest.name)?.[1] ?? '';
  return {
    root,
    release,
    version: newest.version,
    suite: root.suite,
    packages: partsOf(release, newest.version, candidates),
  };
}

/** The image package of newer kernels holds nothing: kernel and modules are packages of their own. */
function partsOf(release: string, version: string, candidates: readonly Package[]): Package[] {
  const isSplit = candidates.some(({ name }) => name === `linux-binary-${release}`);
  const names = isSplit
    ? [`linux-binary-${release}`, `linux-modules-${release}`]
    : [`linux-image-${release}`];
  return names.map((name) => ({ name, version }));
}

/** Of packages of one source: number by number, so that 6.12.100 is newer than 6.12.95. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => (version.match(/\d+/g) ?? []).map(Number));
  for (let i = 0; i < Math.max(left?.length ?? 0, right?.length ?? 0); i++) {
    const difference = (left?.[i] ?? -1) - (right?.[i] ?? -1);
    if (difference !== 0) return difference;
  }
  return 0;
}
