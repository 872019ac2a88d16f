import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FileCoverage, readLcov } from './coverage-report.ts';
import { FOLDERS } from './folders.ts';
import { program } from './native-build.ts';
import { mustRun, type ProgramOptions } from './program.ts';
import { TARGETS } from './target.ts';
import { UNREACHABLE } from './unreachable.ts';

const SECONDS = 300;

/** Why coverage cannot be counted here, or null. */
export async function cannotCount(signal: AbortSignal): Promise<string | null> {
  for (const tool of ['llvm-profdata', 'llvm-cov'])
    try {
      await mustRun(tool, ['--help'], { signal, seconds: 30 });
    } catch {
      return `needs ${tool}: install llvm (make setup)`;
    }
  return null;
}

/** Every input there is, through every target once: what of native/include/vmn they reach. */
export async function countCoverage(signal: AbortSignal): Promise<FileCoverage[]> {
  const options: ProgramOptions = { signal, seconds: SECONDS };
  rmSync(FOLDERS.coverage, { recursive: true, force: true });
  mkdirSync(FOLDERS.coverage, { recursive: true });
  const profiles: string[] = [];
  for (const { name } of TARGETS) {
    const profile = join(FOLDERS.coverage, `${name}.profraw`);
    const folders = [FOLDERS.corpus(name), FOLDERS.seeds(name), FOLDERS.found(name)].filter(existsSync);
    const environment = { LLVM_PROFILE_FILE: profile };
    await mustRun(program('vmn_cover'), [name, ...folders], { ...options, environment });
    profiles.push(profile);
  }
  const merged = join(FOLDERS.coverage, 'all.profdata');
  await mustRun('llvm-profdata', ['merge', '-o', merged, ...profiles], options);
  const lcov = await mustRun(
    'llvm-cov',
    ['export', program('vmn_cover'), `-instr-profile=${merged}`, '-format=lcov'],
    options,
  );
  writeFileSync(join(FOLDERS.coverage, 'lcov.info'), lcov);
  return readLcov(lcov, (path) => readFileSync(path, 'utf8').split('\n'), UNREACHABLE);
}
