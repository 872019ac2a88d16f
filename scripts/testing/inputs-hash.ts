/** One hash over everything that the tests judge, so that results of other sources are recognised as stale. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const FOLDERS = ['src', 'native', 'bpf', 'test', 'demo', 'bin', 'crds', 'helm', 'examples', 'docs'];
const FILES = ['package-lock.json', 'tsconfig.json', 'jest.config.js', 'eslint.config.js'];

/** Hex SHA-256 over the names and contents of all files, in a fixed order. Missing ones count as absent. */
export function inputsHash(projectRoot: string): string {
  const hash = createHash('sha256');
  for (const file of [...FOLDERS.flatMap((folder) => filesBelow(projectRoot, folder)), ...FILES].sort()) {
    hash.update(`${file}\0`);
    try {
      hash.update(readFileSync(join(projectRoot, file)));
    } catch {
      hash.update('absent');
    }
    hash.update('\0');
  }
  return hash.digest('hex');
}

function filesBelow(projectRoot: string, folder: string): string[] {
  let entries;
  try {
    entries = readdirSync(join(projectRoot, folder), { recursive: true, withFileTypes: true });
  } catch {
    return [];
  }
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(projectRoot.length + 1));
}
