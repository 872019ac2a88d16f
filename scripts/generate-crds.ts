/**
 * Writes crds/ and docs/api.md from the schemas in src/api; with --check only compares.
 * Exit code 0: done, or no difference. 1: a file differs (--check). 2: wrong usage.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderReference } from '../src/api/crd/reference.ts';
import { renderCrds } from '../src/api/crd/render.ts';

const root = join(import.meta.dirname, '..');

function main(args: readonly string[]): number {
  const check = args.includes('--check');
  if (args.some((argument) => argument !== '--check')) {
    process.stderr.write('usage: node scripts/generate-crds.ts [--check]\n');
    return 2;
  }
  let differing = 0;
  mkdirSync(join(root, 'crds'), { recursive: true });
  for (const [name, text] of files()) {
    const path = join(root, name);
    if (read(path) === text) continue;
    differing += 1;
    if (!check) writeFileSync(path, text);
    process.stdout.write(`${check ? 'differs' : 'written'}: ${name}\n`);
  }
  if (!check || differing === 0) return 0;
  process.stderr.write('crds/ or docs/api.md is not what src/api says; run: node scripts/generate-crds.ts\n');
  return 1;
}

function files(): [string, string][] {
  const crds = [...renderCrds()].map(([name, text]): [string, string] => [`crds/${name}`, text]);
  return [...crds, ['docs/api.md', renderReference()]];
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

process.exitCode = main(process.argv.slice(2));
