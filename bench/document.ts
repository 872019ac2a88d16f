/**
 * Writes the generated tables of docs/performance.md from bench/results.json; with --check only compares.
 * Exit code 0: done, or no difference. 1: the page differs (--check). 2: wrong usage.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withFigures } from './report/markdown.ts';
import { readResults } from './results.ts';

const PAGE = join(import.meta.dirname, '..', 'docs', 'performance.md');
export const RESULTS = join(import.meta.dirname, 'results.json');

/** Whether the page was as it should be; unless `onlyCheck` it is afterwards. */
export function documentResults(onlyCheck = false): boolean {
  const before = readFileSync(PAGE, 'utf8');
  const after = withFigures(before, readResults(RESULTS));
  if (after !== before && !onlyCheck) writeFileSync(PAGE, after);
  return after === before;
}

function main(args: readonly string[]): number {
  const check = args.includes('--check');
  if (args.some((argument) => argument !== '--check')) {
    process.stderr.write('usage: node bench/document.ts [--check]\n');
    return 2;
  }
  if (documentResults(check)) return 0;
  if (!check) {
    process.stdout.write('written: docs/performance.md\n');
    return 0;
  }
  process.stderr.write(
    'docs/performance.md is not what bench/results.json says; run: node bench/document.ts\n',
  );
  return 1;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
