import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { requires, type Requirement } from '../support/skip.ts';

// A few seconds of what `make fuzz` does at length: the fuzzers build, what they start from breaks no claim, and the
// coverage of the headers can be counted.

const SECONDS = 12;

/** clang can make a fuzzer: its runtimes are a package of their own. */
function libFuzzer(): Requirement {
  const folder = mkdtempSync(join(tmpdir(), 'vmn-fuzzer-'));
  try {
    const source = join(folder, 'a.c');
    writeFileSync(
      source,
      'int LLVMFuzzerTestOneInput(const char *a, unsigned long n) { return !a && !n; }\n',
    );
    const flags = ['-fsanitize=fuzzer,address,undefined', source, '-o', join(folder, 'a')];
    const { status } = spawnSync('clang', flags, { stdio: 'ignore', timeout: 60_000 });
    return { met: status === 0, reason: 'needs clang with libFuzzer (libclang-rt-dev): run make setup' };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const { test } = requires(libFuzzer());

test(`${SECONDS} seconds of fuzzing the C filter find nothing`, () => {
  const script = join(import.meta.dirname, '..', '..', 'scripts', 'fuzz.ts');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', script],
    {
      encoding: 'utf8',
      timeout: 170_000,
      env: { ...process.env, FUZZ_SECONDS: String(SECONDS), FUZZ_FRAMES: '0' },
    },
  );
  expect(stdout).toMatch(/\nnothing found, seed \d+\n$/);
  expect(status).toBe(0);
  for (const target of ['judge', 'sequence', 'policy', 'parse'])
    expect(stdout).toMatch(new RegExp(`^${target} +[1-9][\\d,]* inputs$`, 'm'));
  // In so short a time not all of it.
  expect(`${stdout}${stderr}`).toMatch(
    /^native\/include\/vmn +\d+\/\d+ (100|9\d)\.\d % +\d+\/\d+ (100|9\d)\.\d %$/m,
  );
}, 180_000);
