import { createHash } from 'node:crypto';
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FOLDERS, shown } from './folders.ts';
import type { SliceResult } from './fuzz-run.ts';
import { fuzzer } from './native-build.ts';
import { runProgram } from './program.ts';

const MINIMISE_SECONDS = 30;

/**
 * Makes the input that crashed a target as small as it gets in half a minute and keeps it in the repository, with a line
 * about it in the README beside it. Returns where.
 */
export async function keepCrash(
  { target, crash }: SliceResult,
  seed: number,
  signal: AbortSignal,
): Promise<string | null> {
  if (crash === null || !existsSync(crash.input)) return null;
  const smaller = `${crash.input}.min`;
  await runProgram(
    fuzzer(target),
    [
      '-minimize_crash=1',
      `-max_total_time=${MINIMISE_SECONDS}`,
      `-exact_artifact_path=${smaller}`,
      crash.input,
    ],
    { signal, seconds: 2 * MINIMISE_SECONDS },
  );
  const input = existsSync(smaller) ? smaller : crash.input;
  const digest = createHash('sha256').update(readFileSync(input)).digest('hex').slice(0, 12);
  const kept = join(FOLDERS.found(target), digest);
  if (existsSync(kept)) return kept;
  mkdirSync(FOLDERS.found(target), { recursive: true });
  copyFileSync(input, kept);
  const [first = 'it crashed'] = crash.said.split('\n');
  const line = `| \`${target}/${digest}\` | ${seed} | ${first.replaceAll(FOLDERS.root, '').replaceAll('|', '\\|').slice(0, 160)} |\n`;
  appendFileSync(join(FOLDERS.sources, 'found', 'README.md'), line);
  return kept;
}

/** How to see it again. */
export const repeat = (target: SliceResult['target'], kept: string): string =>
  `${shown(fuzzer(target))} ${shown(kept)}`;
