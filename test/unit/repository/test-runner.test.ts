import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import GivenOrder from '../../../scripts/testing/given-order.ts';
import { newLeftovers } from '../../../scripts/testing/leftovers.ts';
import { splitSkipReason } from '../../../scripts/testing/skip-reason.ts';
import { closingLine, countTests } from '../../../scripts/testing/summary.ts';
import {
  mergeResults,
  type TestRecord,
  type TestResults,
  type TierRecord,
} from '../../../scripts/testing/test-results.ts';
import { startOrder, TIERS, type Tier } from '../../../scripts/testing/tier.ts';
import { skippedTitle } from '../../support/skip.ts';
import { RunnerSandbox } from './runner-sandbox.ts';
import { projectRoot } from './source-files.ts';

// Each of these starts a Jest of its own.
jest.setTimeout(60_000);

const sandbox = new RunnerSandbox();
afterAll(() => sandbox.remove());

const run = (source: string, environment: Record<string, string> = {}) =>
  sandbox.run('unit', { 'unit/a': source }, environment);

describe('make test', () => {
  test('ends with the counts and exit code 0 when all is well', async () => {
    const { status, last, results } = await run("test('[AB-1] one', () => expect(1).toBe(1));");
    expect({ status, last }).toEqual({ status: 0, last: '1 passed, 0 failed, 0 skipped' });
    expect(results.tiers[0]?.tests[0]).toMatchObject({
      title: '[AB-1] one',
      file: 'test/unit/a.test.ts',
      tier: 'unit',
      status: 'passed',
    });
  });

  test('fails when a test fails, and shows why', async () => {
    const { status, last, output } = await run(
      "test('one', () => expect(1).toBe(2));\ntest('two', () => {});",
    );
    expect({ status, last }).toEqual({ status: 1, last: '1 passed, 1 failed, 0 skipped' });
    expect(output).toContain('Expected: 2');
  });

  test('fails when a file cannot even be loaded', async () => {
    const { status, last } = await run("import '../nowhere.ts';\ntest('one', () => {});");
    expect({ status, last }).toEqual({ status: 1, last: '0 passed, 1 failed, 0 skipped' });
  });

  test('fails when no test ran at all', async () => {
    expect((await run("testWhen(false, 'no luck', 'one', () => {});")).status).toBe(1);
  });

  test('lists a skip with its reason, and in CI counts it as failed unless it is optional', async () => {
    const source = `
      test('one', () => {});
      testWhen(false, 'needs a moon', 'two', () => {});
      requires({ met: false, reason: 'no peer here', optional: true }).test('three', () => {});`;
    const here = await run(source);
    expect({ status: here.status, last: here.last }).toEqual({
      status: 0,
      last: '1 passed, 0 failed, 2 skipped',
    });
    expect(here.output).toContain('two: needs a moon');
    const inCi = await run(source, { CI: 'true' });
    expect({ status: inCi.status, last: inCi.last }).toEqual({
      status: 1,
      last: '1 passed, 1 failed, 1 skipped',
    });
  });

  test('ends a run whose tests are done but which does not exit', async () => {
    const { status, output } = await run("test('one', () => { setInterval(() => {}, 1000); });");
    expect(status).toBe(1);
    expect(output).toContain('left a handle');
  });
});

describe('where several files run at a time', () => {
  test('those that take longest start first, in that order, and the others as they are named', () => {
    const tier: Tier = { ...TIERS[0]!, longest: ['slow', 'slower'] };
    const files = ['a', 'slower', 'b', 'slow'].map((name) => `test/unit/${name}.test.ts`);
    const started = startOrder(tier, files).map((file) =>
      file.slice('test/unit/'.length, -'.test.ts'.length),
    );
    expect(started).toEqual(['slow', 'slower', 'a', 'b']);
  });

  test('Jest starts them as they are given', () => {
    const argv = process.argv;
    process.argv = ['node', 'jest', '--runTestsByPath', 'test/unit/b.test.ts', 'test/unit/a.test.ts'];
    try {
      const files = ['/x/test/unit/a.test.ts', '/x/test/unit/b.test.ts'].map((path) => ({ path }));
      expect(new GivenOrder().sort(files).map(({ path }) => path.at(-9))).toEqual(['b', 'a']);
    } finally {
      process.argv = argv;
    }
  });

  test('each file that is said to take long is there', () => {
    const missing = TIERS.flatMap(({ folders, longest = [] }) => {
      const paths = longest.map((name) => join(projectRoot, 'test', folders[0] ?? '', `${name}.test.ts`));
      return paths.filter((path) => !existsSync(path));
    });
    expect(missing).toEqual([]);
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
