import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { cpioArchive, DIRECTORY, EXECUTABLE, type ArchiveEntry } from '../../test/support/guest/cpio.ts';
import { modulesInOrder } from '../../test/support/guest/modules.ts';
import { mustRun } from '../../test/support/lab/command.ts';
import { nativeFolder } from './cache.ts';
import type { MatrixKernel } from './kernel-package.ts';

/** A program of the native build that is run in the kernel under test. */
export interface TestProgram {
  /** By which its report is known. */
  label: 'loader' | 'probe' | 'direct';
  program: string;
  /** The object of the filter that it is given, with the packet corpus, relative to the build; none when it has its own. */
  object: string | null;
}

/** The object that kernels before 6.2 take. */
export const PROBE_OBJECT = 'bpf/vmn_filter_probe.bpf.o';
/** The one for later kernels. */
export const DIRECT_OBJECT = 'bpf/vmn_filter.bpf.o';

/** The loader with the object that it chooses itself, and the catalogue with each object that this kernel can take. */
export function testPrograms(takesDirectObject: boolean): readonly TestProgram[] {
  const cases = { program: 'vmn_kernel_cases' };
  return [
    { label: 'loader', program: 'vmn_kernel_matrix', object: null },
    { label: 'probe', ...cases, object: PROBE_OBJECT },
    ...(takesDirectObject ? [{ label: 'direct', ...cases, object: DIRECT_OBJECT } as const] : []),
  ];
}

/** Taps, and what clsact is made of; a kernel that has one of them built in needs no file. */
const MODULES = ['tun', 'veth', 'sch_ingress', 'cls_bpf'];

/** Writes the whole file system of a kernel under test: busybox, the programs with their libraries, modules, init. */
export async function writeInitramfs(
  kernel: MatrixKernel,
  tests: readonly TestProgram[],
  file: string,
): Promise<void> {
  const entries = [...(await programs(tests)), ...instructions(tests), ...corpus(), ...modules(kernel)];
  writeFileSync(file, gzipSync(cpioArchive(withFolders(entries)), { level: 1 }));
}

async function programs(tests: readonly TestProgram[]): Promise<ArchiveEntry[]> {
  const busybox = (await mustRun(['sh', '-c', 'PATH=$PATH:/usr/sbin:/sbin command -v busybox'])).trim();
  const names = [...new Set(tests.map(({ program }) => program))];
  const libraries = new Set((await Promise.all([busybox, ...names.map(built)].map(librariesOf))).flat());
  return [
    executable('init', fileURLToPath(new URL('init', import.meta.url))),
    executable('bin/busybox', busybox),
    ...names.map((name) => executable(`tests/${name}`, built(name))),
    ...[...libraries].map((library) => executable(library.slice(1), library)),
  ];
}

/** A path in the native build. */
export function built(name: string): string {
  const path = join(nativeFolder(), name);
  if (!existsSync(path)) throw new Error(`${path} is not built: run make build`);
  return path;
}

/** `init` reads a line `LABEL PROGRAM [OBJECT CORPUS]` for each. */
function instructions(tests: readonly TestProgram[]): ArchiveEntry[] {
  const objects = tests.flatMap(({ object }) => object ?? []);
  const order = tests.map(
    ({ label, program, object }) =>
      `${[label, program, ...(object === null ? [] : [inTests(object), '/corpus'])].join(' ')}\n`,
  );
  return [
    { path: 'tests/order', mode: 0o100644, content: Buffer.from(order.join('')) },
    ...objects.map((path) => ({
      path: inTests(path).slice(1),
      mode: 0o100644,
      content: readFileSync(built(path)),
    })),
  ];
}

function inTests(object: string): string {
  return `/tests/${basename(object)}`;
}

const CORPUS = fileURLToPath(new URL('../../test/support/corpus/cases', import.meta.url));

function corpus(): ArchiveEntry[] {
  return readdirSync(CORPUS)
    .filter((name) => name.endsWith('.case'))
    .map((name) => ({
      path: `corpus/${name}`,
      mode: 0o100644,
      content: readFileSync(join(CORPUS, name)),
    }));
}

/** The loader and every shared library, by the paths under which the program looks for them; none for a static one. */
async function librariesOf(program: string): Promise<string[]> {
  const listing = await mustRun(['sh', '-c', 'ldd "$1" 2>/dev/null || true', 'ldd', program]);
  return [...listing.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] ?? '');
}

function modules(kernel: MatrixKernel): ArchiveEntry[] {
  const found = modulesInOrder(kernel.modules, MODULES);
  return [
    {
      path: 'modules/order',
      mode: 0o100644,
      content: Buffer.from(found.map(({ name }) => `${name}.ko\n`).join('')),
    },
    ...found.map(({ name, content }) => ({ path: `modules/${name}.ko`, mode: 0o100644, content })),
  ];
}

function executable(path: string, source: string): ArchiveEntry {
  return { path, mode: EXECUTABLE, content: readFileSync(source) };
}

/** Adds the folders above each entry, and the few that init mounts on. */
function withFolders(entries: ArchiveEntry[]): ArchiveEntry[] {
  const folders = new Set(['proc', 'sys', 'dev', 'tmp', 'bin']);
  for (const { path } of entries) {
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) folders.add(folder);
  }
  return [...[...folders].map((path) => ({ path, mode: DIRECTORY, content: new Uint8Array() })), ...entries];
}
