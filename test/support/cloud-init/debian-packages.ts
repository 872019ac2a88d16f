import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mustRun, runCommand } from '../lab/command.ts';
import type { Requirement } from '../skip.ts';

/**
 * Packages of this machine's Debian unpacked into `.cache/NAME`, downloaded with `apt-get download` unless they are there.
 * Nothing of them is installed. Not to be had is no failure: other distributions have no apt, and a machine may be offline.
 */
export async function debianPackages(
  name: string,
  choose: () => Promise<readonly string[]>,
): Promise<{ home: string; there: Requirement }> {
  const home = fileURLToPath(new URL(`../../../.cache/${name}`, import.meta.url));
  const missing = existsSync(home) ? null : await fetchInto(home, choose).then(() => null, String);
  const [why = ''] = (missing ?? 'it is').split('\n', 1);
  return { home, there: { met: missing === null, reason: `needs Debian's ${name} in .cache: ${why}` } };
}

async function fetchInto(home: string, choose: () => Promise<readonly string[]>): Promise<void> {
  mkdirSync(join(home, '..'), { recursive: true });
  const half = mkdtempSync(`${home}-`);
  try {
    if (!(await downloaded(half, await choose()))) {
      await mustRun(['apt-get', 'update', '-q'], { timeoutMs: 180_000 }); // no lists yet, or older than the mirror
      if (!(await downloaded(half, await choose()))) throw new Error('apt-get cannot download it');
    }
    for (const file of readdirSync(half).filter((entry) => entry.endsWith('.deb'))) {
      await mustRun(['dpkg-deb', '--extract', join(half, file), half]);
      rmSync(join(half, file));
    }
    keep(half, home);
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
}

/** Another run may have been faster. */
function keep(half: string, home: string): void {
  try {
    renameSync(half, home);
  } catch (cause) {
    if (!existsSync(home)) throw cause;
  }
}

async function downloaded(folder: string, names: readonly string[]): Promise<boolean> {
  const words = ['apt-get', 'download', '-q', ...names];
  return names.length > 0 && (await runCommand(words, { cwd: folder, timeoutMs: 180_000 })).code === 0;
}
