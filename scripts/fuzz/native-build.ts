import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { FOLDERS } from './folders.ts';
import { mustRun, type ProgramOptions } from './program.ts';
import { TARGETS, type TargetName } from './target.ts';

const MINUTES = 10;

export const program = (name: string): string => join(FOLDERS.build, name);
export const fuzzer = (target: TargetName): string => program(`vmn_fuzz_${target}`);

/** Builds the fuzzers and writes what they start from. Throws when this machine has no clang with libFuzzer. */
export async function buildFuzzers(signal: AbortSignal): Promise<void> {
  const options: ProgramOptions = { signal, seconds: MINUTES * 60 };
  mkdirSync(FOLDERS.work, { recursive: true });
  const configure = ['-S', FOLDERS.sources, '-B', FOLDERS.build, '-DCMAKE_C_COMPILER=clang'];
  await mustRun('cmake', configure, options);
  await mustRun('cmake', ['--build', FOLDERS.build, '-j2'], options);

  const seeds = join(FOLDERS.work, 'seeds');
  rmSync(seeds, { recursive: true, force: true });
  const cases = [FOLDERS.cases, FOLDERS.foundCases].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.case'))
      .map((name) => join(folder, name)),
  );
  await mustRun(program('vmn_fuzz_seeds'), [seeds, ...cases], options);
  for (const { name } of TARGETS) mkdirSync(FOLDERS.corpus(name), { recursive: true });
  mkdirSync(FOLDERS.artifacts, { recursive: true });
}
