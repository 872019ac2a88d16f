import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { runCommand } from '../lab/command.ts';
import { cacheFolder } from './cache.ts';
import { cpioArchive, DIRECTORY, EXECUTABLE, type ArchiveEntry } from './cpio.ts';
import type { GuestKernel } from './kernel.ts';
import { modulesInOrder } from './modules.ts';
import { ensureProbe } from './probe.ts';

/** Its network card, and the firewall that its root is going to flush. */
const MODULES = ['virtio_pci', 'virtio_net', 'nf_tables'];

/**
 * The guest's whole file system: busybox, nft with its libraries, guest-probe, modules, those of `more` besides, init; `tools` of
 * this machine, with their libraries, in /bin. Built once for each content.
 */
export async function ensureInitramfs(
  kernel: GuestKernel,
  more: readonly string[] = [],
  tools: readonly string[] = [],
): Promise<string> {
  const archive = cpioArchive(withFolders([...(await programs(tools)), ...modules(kernel, more)]));
  const hash = createHash('sha256').update(archive).digest('hex').slice(0, 16);
  const target = join(cacheFolder(), `initramfs-${hash}.gz`);
  if (existsSync(target)) return target;
  mkdirSync(cacheFolder(), { recursive: true });
  const half = `${target}.${String(process.pid)}`;
  writeFileSync(half, gzipSync(archive, { level: 6 }));
  renameSync(half, target);
  return target;
}

async function programs(tools: readonly string[]): Promise<ArchiveEntry[]> {
  const init = fileURLToPath(new URL('init', import.meta.url));
  const [nft, busybox, probe] = await Promise.all([pathOf('nft'), pathOf('busybox'), ensureProbe()]);
  const more = await Promise.all(tools.map(pathOf));
  const libraries = new Set((await Promise.all([nft, busybox, ...more].map(librariesOf))).flat());
  return [
    executable('init', init),
    executable('bin/busybox', busybox),
    executable('bin/guest-probe', probe),
    executable('usr/sbin/nft', nft),
    ...tools.map((tool, at) => executable(`bin/${tool}`, more[at] ?? tool)),
    ...[...libraries].map((library) => executable(library.slice(1), library)),
  ];
}

async function pathOf(program: string): Promise<string> {
  const { PATH = '' } = process.env;
  const found = await runCommand(['sh', '-c', `command -v ${program}`], {
    env: { PATH: `${PATH}:/usr/sbin:/sbin` },
  });
  if (found.code !== 0) throw new Error(`the guest needs ${program}: run make setup`);
  return found.stdout.trim();
}

/** The loader and every shared library, by the paths under which the program looks for them; none for a static one. */
async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await runCommand(['ldd', program]);
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] ?? '');
}

function modules(kernel: GuestKernel, more: readonly string[]): ArchiveEntry[] {
  const found = modulesInOrder(kernel.modules, [...MODULES, ...more]);
  const order = found.map((module) => `${module.name}.ko\n`).join('');
  return [
    { path: 'modules/order', mode: 0o100644, content: Buffer.from(order) },
    ...found.map((module) => ({
      path: `modules/${module.name}.ko`,
      mode: 0o100644,
      content: module.content,
    })),
  ];
}

function executable(path: string, source: string): ArchiveEntry {
  return { path, mode: EXECUTABLE, content: readFileSync(source) };
}

/** Adds the folders above each entry, and the few that init mounts on. */
function withFolders(entries: ArchiveEntry[]): ArchiveEntry[] {
  const folders = new Set(['proc', 'sys', 'dev', 'tmp']);
  for (const { path } of entries) {
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) folders.add(folder);
  }
  return [...[...folders].map((path) => ({ path, mode: DIRECTORY, content: new Uint8Array() })), ...entries];
}
