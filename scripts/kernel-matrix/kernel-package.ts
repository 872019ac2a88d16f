import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { mustRun } from '../../test/support/lab/command.ts';
import { cacheFolder } from './cache.ts';
import { findNewest, type FoundKernel, type Progress } from './package-search.ts';
import type { WantedKernel } from './wanted-kernels.ts';

/** A kernel that is here and can be booted. */
export interface MatrixKernel {
  /** What `uname -r` says there, such as 5.10.0-46-cloud-amd64. */
  release: string;
  /** Of the package, such as 5.10.262-1. */
  version: string;
  suite: string;
  image: string;
  /** The folder `kernel` of its modules. */
  modules: string;
}

type Description = Pick<MatrixKernel, 'release' | 'version' | 'suite'>;

/** The parts that the matrix needs; the rest (100 MB each) is not unpacked. */
const IMAGE_FILES = ['*/vmlinuz*'];
const MODULE_FILES = ['*/kernel/drivers/net/*', '*/kernel/net/*', '*/kernel/lib/*'];

/** From the cache where it is there, else downloaded (20 to 40 MB). Throws Unavailable (mirror.ts) when it cannot be had. */
export async function ensureKernel(wanted: WantedKernel, progress: Progress): Promise<MatrixKernel> {
  const home = join(cacheFolder(), wanted.name);
  if (!existsSync(home)) {
    mkdirSync(cacheFolder(), { recursive: true });
    const half = mkdtempSync(join(cacheFolder(), `${wanted.name}-`));
    try {
      const found = await findNewest(wanted, half, progress);
      progress(`fetching ${found.release} (${found.version}) of ${found.suite}, kept in ${home}`);
      await unpack(found, half);
      keep(half, home);
    } finally {
      rmSync(half, { recursive: true, force: true });
    }
  }
  return kernelIn(home);
}

/** Puts packages that somebody brought into the cache, for a kernel that no mirror has. */
export async function adoptPackages(wanted: WantedKernel, debs: readonly string[]): Promise<void> {
  mkdirSync(cacheFolder(), { recursive: true });
  const half = mkdtempSync(join(cacheFolder(), `${wanted.name}-`));
  try {
    const files = join(half, 'files');
    for (const deb of debs) await mustRun(['dpkg-deb', '-x', deb, files], { timeoutMs: 120_000 });
    const image = readdirSync(join(files, 'boot')).find((name) => name.startsWith('vmlinuz-'));
    if (image === undefined) throw new Error(`no kernel in ${debs.join(' ')}`);
    const release = image.slice('vmlinuz-'.length);
    describeKernel(half, { release, version: release, suite: 'brought by hand' });
    forgetKernel(wanted);
    keep(half, join(cacheFolder(), wanted.name));
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
}

/** Takes the cached one away, so that it is looked for again. */
export function forgetKernel(wanted: WantedKernel): void {
  rmSync(join(cacheFolder(), wanted.name), { recursive: true, force: true });
}

function kernelIn(home: string): MatrixKernel {
  const known = JSON.parse(readFileSync(join(home, 'kernel.json'), 'utf8')) as Description;
  const files = readdirSync(join(home, 'files'), { recursive: true, encoding: 'utf8' });
  const image = files.find((name) => /(?:^|\/)vmlinuz[^/]*$/.test(name));
  const modules = files.find((name) => name.endsWith(`${known.release}/kernel`));
  if (image === undefined || modules === undefined)
    throw new Error(`no kernel in ${home}: delete that folder`);
  return { ...known, image: join(home, 'files', image), modules: join(home, 'files', modules) };
}

async function unpack(
  { root, packages, release, version, suite }: FoundKernel,
  folder: string,
): Promise<void> {
  const files = join(folder, 'files');
  mkdirSync(files);
  await root.download(packages, folder);
  for (const { name } of packages) {
    const file = readdirSync(folder).find((entry) => entry.startsWith(`${name}_`) && entry.endsWith('.deb'));
    if (file === undefined) throw new Error(`apt-get download ${name} left no package`);
    const script =
      'set -e; deb=$1; to=$2; shift 2; dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$to" --wildcards "$@"';
    const wanted = [
      ...(name.includes('-modules-') ? [] : IMAGE_FILES),
      ...(name.includes('-binary-') ? [] : MODULE_FILES),
    ];
    await mustRun(['sh', '-c', script, 'unpack', join(folder, file), files, ...wanted], {
      timeoutMs: 120_000,
    });
    rmSync(join(folder, file));
  }
  rmSync(join(folder, 'apt'), { recursive: true, force: true });
  describeKernel(folder, { release, version, suite });
}

function describeKernel(folder: string, description: Description): void {
  writeFileSync(join(folder, 'kernel.json'), `${JSON.stringify(description)}\n`);
}

/** Another run may have been faster. */
function keep(half: string, home: string): void {
  try {
    renameSync(half, home);
  } catch (cause) {
    if (!existsSync(home)) throw cause;
  }
}
