/** The files of the project as a clone has them: nothing built, fetched or hidden. */
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

export const projectRoot = join(import.meta.dirname, '..', '..', '..');

const NOT_OURS = new Set(['node_modules', 'build', 'coverage', '.git', '.tools', '.cache']);

/** All files, relative to the project, sorted. */
export function projectFiles(): string[] {
  return filesBelow(projectRoot)
    .map((path) => relative(projectRoot, path))
    .sort();
}

/** Folders at the top that a reader sees. */
export function topFolders(): string[] {
  return readdirSync(projectRoot, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && !NOT_OURS.has(entry.name))
    .filter((entry) => filesBelow(join(projectRoot, entry.name)).length > 0)
    .map((entry) => entry.name)
    .sort();
}

export function textOf(file: string): string {
  return readFileSync(join(projectRoot, file), 'utf8');
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (NOT_OURS.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : entry.isFile() ? [path] : [];
  });
}
