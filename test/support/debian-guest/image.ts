import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { cacheFolder } from '../guest/cache.ts';
import { cpioArchive, DIRECTORY, EXECUTABLE } from '../guest/cpio.ts';
import type { GuestImage } from '../guest/index.ts';
import { ensureKernel, type GuestKernel } from '../guest/kernel.ts';
import { modulesInOrder } from '../guest/modules.ts';
import { ensureProbe } from '../guest/probe.ts';
import { mustRun } from '../lab/command.ts';
import { DEBIAN_12, type Distribution } from './distribution.ts';

/** A Debian with a disk of its own. */
export interface DebianImage extends GuestImage {
  /** Raw, ext4 without partitions. Never written: whoever boots it writes elsewhere. */
  readonly disk: string;
}

/** A CD-ROM drive on virtio-scsi. */
const CD_ROM = ['virtio_scsi', 'sr_mod'];
/** Of the kernel's package, besides what every guest of the tests has: WireGuard's ciphers, a CD-ROM drive, and what depmod reads. */
const MODULES = [
  ...['*/modules.builtin*', '*/modules.order', '*/kernel/crypto/*', '*/kernel/arch/x86/crypto/*'],
  ...['scsi_common', 'scsi_mod', ...CD_ROM].map((name) => `*/kernel/drivers/scsi/${name}.ko*`),
];
/** ext4 is built in. As in Debian's own initramfs the drives are there before systemd asks where a seed may be. */
const BEFORE_ROOT = ['virtio_pci', 'virtio_blk', ...CD_ROM];
const DISK = '2G';

/** With what WireGuard needs of it; for the small guest too. */
export function tunnelKernel(): Promise<GuestKernel> {
  return ensureKernel(undefined, MODULES);
}

/**
 * From the cache where it is there; the first call on a machine builds it of Debian's packages, which takes a minute. Another recipe is
 * another image.
 */
export async function ensureDebianImage(distribution: Distribution = DEBIAN_12): Promise<DebianImage> {
  const [kernel, probe] = await Promise.all([tunnelKernel(), ensureProbe()]);
  const init = here('init');
  const finish = here('finish');
  const recipe = [
    distribution.suite,
    ...distribution.packages,
    ...BEFORE_ROOT,
    DISK,
    kernel.version,
    probe,
    ...[init, finish].map(text),
  ];
  const hash = createHash('sha256').update(recipe.join('\n')).digest('hex').slice(0, 16);
  const home = join(cacheFolder(), `${distribution.name}-${hash}`);
  if (!existsSync(home)) {
    const half = mkdtempSync(join(cacheFolder(), `${distribution.name}-`));
    try {
      await build({ distribution, half, kernel, probe, init, finish });
      keep(half, home);
    } finally {
      rmSync(half, { recursive: true, force: true });
    }
  }
  return { kernel, initramfs: join(home, 'initramfs.gz'), disk: join(home, 'disk.raw') };
}

interface Parts {
  distribution: Distribution;
  half: string;
  kernel: GuestKernel;
  probe: string;
  init: string;
  finish: string;
}

async function build({ distribution, half, kernel, probe, init, finish }: Parts): Promise<void> {
  const root = join(half, 'root');
  const disk = join(half, 'disk.raw');
  const without = ['doc', 'man', 'locale', 'info'].map(
    (folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`,
  );
  const words = [
    ...[
      '--variant=minbase',
      `--include=${distribution.packages.join(',')}`,
      '--dpkgopt=force-unsafe-io',
      ...without,
    ],
    ...[`--customize-hook=upload ${probe} /usr/local/sbin/guest-probe`, `--customize-hook=${finish} "$1"`],
  ];
  const order = ['mmdebstrap', '--mode=root', '--quiet', ...words, distribution.suite, root];
  await mustRun(order, { timeoutMs: 400_000 });
  const modules = join(root, 'lib/modules', kernel.version);
  cpSync(join(kernel.modules, '..'), modules, { recursive: true });
  await mustRun(['chroot', root, 'depmod', kernel.version]);
  await mustRun(['truncate', '-s', DISK, disk]);
  await mustRun(['mkfs.ext4', '-q', '-O', '^has_journal', '-d', root, disk], { timeoutMs: 120_000 });
  rmSync(root, { recursive: true });
  writeFileSync(join(half, 'initramfs.gz'), await initramfs(kernel, init));
}

/** What a kernel with modules needs until it has its disk; Debian's own takes long to build, and long to unpack under emulation. */
async function initramfs(kernel: GuestKernel, init: string): Promise<Buffer> {
  const busybox = (await mustRun(['sh', '-c', 'command -v busybox'])).trim();
  const modules = modulesInOrder(kernel.modules, BEFORE_ROOT);
  const folders = ['bin', 'dev', 'proc', 'sys', 'modules', 'disk'];
  const order = modules.map(({ name }) => `${name}.ko\n`).join('');
  return gzipSync(
    cpioArchive([
      ...folders.map((path) => ({ path, mode: DIRECTORY, content: new Uint8Array() })),
      { path: 'bin/busybox', mode: EXECUTABLE, content: readFileSync(busybox) },
      { path: 'init', mode: EXECUTABLE, content: readFileSync(init) },
      { path: 'modules/order', mode: 0o100644, content: Buffer.from(order) },
      ...modules.map(({ name, content }) => ({ path: `modules/${name}.ko`, mode: 0o100644, content })),
    ]),
  );
}

/** Another run may have been faster. */
function keep(half: string, home: string): void {
  try {
    renameSync(half, home);
  } catch (cause) {
    if (!existsSync(home)) throw cause;
  }
}

function here(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

function text(path: string): string {
  return readFileSync(path, 'utf8');
}
