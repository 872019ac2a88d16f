import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newLeftovers } from '../../../scripts/testing/leftovers.ts';
import { splitSkipReason } from '../../../scripts/testing/skip-reason.ts';
import { closingLine, countTests } from '../../../scripts/testing/summary.ts';
import {
  mergeResults,
  type TestRecord,
  type TestResults,
  type TierRecord,
} from '../../../scripts/testing/test-results.ts';
import { skippedTitle } from '../../support/skip.ts';
import { projectRoot } from './source-files.ts';

// Each of these starts a Jest of its own.
jest.setTimeout(60_000);

/** A project with the real runner and tests of our choice, so that the runner can be seen to fail. */
let sandbox: string;
beforeAll(() => {
  sandbox = mkdtempSync(join(tmpdir(), 'vmnetwork-runner-'));
  mkdirSync(join(sandbox, 'test', 'unit'), { recursive: true });
  for (const copied of ['scripts', 'test/support/skip.ts', 'jest.config.js', 'package.json']) {
    cpSync(join(projectRoot, copied), join(sandbox, copied), { recursive: true });
  }
  symlinkSync(join(projectRoot, 'node_modules'), join(sandbox, 'node_modules'));
});
afterAll(() => {
  rmSync(sandbox, { recursive: true, force: true });
});

function run(testSource: string, environment: Record<string, string> = {}) {
  writeFileSync(
    join(sandbox, 'test', 'unit', 'a.test.ts'),
    `import { expect, test } from '@jest/globals';\nimport { testWhen, requires } from '../support/skip.ts';\n${testSource}`,
  );
  const { CI: _ci, ...inherited } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/test.ts', 'unit'], {
    cwd: sandbox,
    encoding: 'utf8',
    env: { ...inherited, NO_COLOR: '1', ...environment },
  });
  const results = JSON.parse(
    readFileSync(join(sandbox, 'build', 'test-results.json'), 'utf8'),
  ) as TestResults;
  return { status, output: stdout + stderr, last: stdout.trimEnd().split('\n').at(-1), results };
}

describe('make test', () => {
  test('ends with the counts and exit code 0 when all is well', () => {
    const { status, last, results } = run("test('[AB-1] one', () => expect(1).toBe(1));");
    expect({ status, last }).toEqual({ status: 0, last: '1 passed, 0 failed, 0 skipped' });
    expect(results.tiers[0]?.tests[0]).toMatchObject({
      title: '[AB-1] one',
      file: 'test/unit/a.test.ts',
      tier: 'unit',
      status: 'passed',
    });
  });

  test('fails when a test fails, and shows why', () => {
    const { status, last, output } = run("test('one', () => expect(1).toBe(2));\ntest('two', () => {});");
    expect({ status, last }).toEqual({ status: 1, last: '1 passed, 1 failed, 0 skipped' });
    expect(output).toContain('Expected: 2');
  });

  test('fails when a file cannot even be loaded', () => {
    const { status, last } = run("import '../nowhere.ts';\ntest('one', () => {});");
    expect({ status, last }).toEqual({ status: 1, last: '0 passed, 1 failed, 0 skipped' });
  });

  test('fails when no test ran at all', () => {
    expect(run("testWhen(false, 'no luck', 'one', () => {});").status).toBe(1);
  });

  test('lists a skip with its reason, and in CI counts it as failed unless it is optional', () => {
    const source = `
      test('one', () => {});
      testWhen(false, 'needs a moon', 'two', () => {});
      requires({ met: false, reason: 'no peer here', optional: true }).test('three', () => {});`;
    const here = run(source);
    expect({ status: here.status, last: here.last }).toEqual({
      status: 0,
      last: '1 passed, 0 failed, 2 skipped',
    });
    expect(here.output).toContain('two: needs a moon');
    const inCi = run(source, { CI: 'true' });
    expect({ status: inCi.status, last: inCi.last }).toEqual({
      status: 1,
      last: '1 passed, 1 failed, 1 skipped',
    });
  });

  test('ends a run whose tests are done but which does not exit', () => {
    const { status, output } = run("test('one', () => { setInterval(() => {}, 1000); });");
    expect(status).toBe(1);
    expect(output).toContain('left a handle');
  });
});

describe('skip reasons', () => {
  test.each([
    ['plain', { met: false, reason: 'needs root: sudo' }, { reason: 'needs root: sudo', optional: false }],
    ['optional', { met: false, reason: 'no KVM', optional: true }, { reason: 'no KVM', optional: true }],
  ])('written into a title are read back: %s', (_name, requirement, skip) => {
    expect(splitSkipReason(`block ${skippedTitle('one', requirement)}`)).toEqual({
      title: 'block one',
      skip,
    });
    expect(splitSkipReason(`${skippedTitle('block', requirement)} one`)).toEqual({
      title: 'block one',
      skip,
    });
  });

  test('a title without one stays as it is', () => {
    expect(splitSkipReason('[AB-1] drops [all] of it')).toEqual({
      title: '[AB-1] drops [all] of it',
      skip: null,
    });
  });
});

test('what is left behind is what was not there before', () => {
  const before = new Set(['tap a', 'network namespace b']);
  expect(newLeftovers(before, new Set(['tap a', 'tap c']))).toEqual(['tap c']);
});

describe('counts and records', () => {
  const test1: TestRecord = { title: 'one', file: 'a', tier: 'unit', status: 'passed', durationMs: 1 };
  const tier: TierRecord = {
    name: 'unit',
    startedAt: '',
    durationMs: 1,
    inputsHash: 'x',
    whole: true,
    tests: [test1, { ...test1, title: 'two', status: 'failed' }],
  };
  const results: TestResults = { node: 'v24', kernel: '6', tiers: [tier] };

  test('the closing line has the form that CI reads', () => {
    expect(closingLine(countTests(tier.tests, true))).toMatch(/^\d+ passed, \d+ failed, \d+ skipped$/);
  });

  test('a run of one file goes into the record of the same sources', () => {
    const again = { ...tier, whole: false, tests: [{ ...test1, title: 'two' }] };
    const merged = mergeResults(results, { ...results, tiers: [again] });
    expect(merged.tiers[0]?.tests.map(({ status }) => status)).toEqual(['passed', 'passed']);
  });

  test('but replaces the record of other sources', () => {
    const again = { ...tier, whole: false, inputsHash: 'y', tests: [test1] };
    expect(mergeResults(results, { ...results, tiers: [again] }).tiers).toEqual([again]);
  });

  test('the other tiers are kept', () => {
    const merged = mergeResults(results, { ...results, tiers: [{ ...tier, name: 'kernel' }] });
    expect(merged.tiers.map(({ name }) => name)).toEqual(['unit', 'kernel']);
  });
});
