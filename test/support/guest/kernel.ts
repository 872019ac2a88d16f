import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun, runCommand } from '../lab/command.ts';
import { cacheFolder } from './cache.ts';

/** What a guest boots: nothing of it is installed on this machine. */
export interface GuestKernel {
  /** Such as 6.1.0-56-cloud-amd64. */
  version: string;
  image: string;
  /** The folder `kernel` of its modules. */
  modules: string;
}

const META_PACKAGE = 'linux-image-cloud-amd64';
/** The parts of the package that the guest may need; the rest (100 MB) is not unpacked. */
const WANTED = [
  './boot/vmlinuz-*',
  '*/kernel/drivers/virtio/*',
  '*/kernel/drivers/net/*',
  '*/kernel/net/*',
  '*/kernel/lib/*',
  '*/kernel/drivers/block/loop.ko*',
  '*/kernel/drivers/block/virtio_blk.ko*',
  '*/kernel/drivers/cdrom/*',
  '*/kernel/fs/isofs/*',
];

export type Progress = (text: string) => void;

/** Debian's cloud kernel from the cache, else downloaded (27 MB) with apt and unpacked there; `more` parts of it besides WANTED. */
export async function ensureKernel(
  progress: Progress = () => undefined,
  more: readonly string[] = [],
): Promise<GuestKernel> {
  const wanted = [...WANTED, ...more];
  // Another wish is another folder.
  const wish = createHash('sha256').update(wanted.join('\n')).digest('hex').slice(0, 16);
  const home = join(cacheFolder(), `kernel-${wish}`);
  if (!existsSync(home)) {
    progress(`fetching ${META_PACKAGE} (27 MB, kept in ${home})`);
    mkdirSync(cacheFolder(), { recursive: true });
    const half = mkdtempSync(join(cacheFolder(), 'kernel-'));
    try {
      await unpack(await download(half), half, wanted);
      keep(half, home);
    } finally {
      rmSync(half, { recursive: true, force: true });
    }
  }
  const image = readdirSync(join(home, 'boot')).find((name) => name.startsWith('vmlinuz-'));
  if (image === undefined) throw new Error(`no kernel in ${home}: delete the folder and try again`);
  const version = image.slice('vmlinuz-'.length);
  return { version, image: join(home, 'boot', image), modules: join(home, 'lib/modules', version, 'kernel') };
}

/** Another run may have been faster. */
function keep(half: string, home: string): void {
  try {
    renameSync(half, home);
  } catch (cause) {
    if (!existsSync(home)) throw cause;
  }
}

async function download(folder: string): Promise<string> {
  let known = await imagePackage();
  if (known === null || (await fetchPackage(known, folder)) !== 0) {
    await mustRun(['apt-get', 'update', '-q'], { timeoutMs: 180_000 }); // no lists yet, or older than the mirror
    known = await imagePackage();
    if (known === null)
      throw new Error(`apt knows no ${META_PACKAGE}: the guest needs Debian's package lists`);
    if ((await fetchPackage(known, folder)) !== 0) throw new Error(`apt-get download ${known} failed`);
  }
  const file = readdirSync(folder).find((name) => name.endsWith('.deb'));
  if (file === undefined) throw new Error(`apt-get download ${known} left no package`);
  return join(folder, file);
}

/** The package that the meta package stands for today. */
async function imagePackage(): Promise<string | null> {
  const { stdout } = await runCommand(['apt-cache', 'depends', META_PACKAGE]);
  return /Depends: (linux-image-\S+-cloud-amd64)/.exec(stdout)?.[1] ?? null;
}

async function fetchPackage(name: string, folder: string): Promise<number> {
  return (await runCommand(['apt-get', 'download', '-q', name], { cwd: folder, timeoutMs: 180_000 })).code;
}

async function unpack(file: string, folder: string, wanted: readonly string[]): Promise<void> {
  const script =
    'set -e; deb=$1; folder=$2; shift 2; dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$folder" --wildcards "$@"';
  await mustRun(['sh', '-c', script, 'unpack', file, folder, ...wanted], { timeoutMs: 120_000 });
  rmSync(file);
}
