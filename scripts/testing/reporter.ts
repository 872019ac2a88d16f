/**
 * The Jest reporter of `make test`: one line per file (and per test where files run for minutes), failures in full, and
 * a record of every test for scripts/test.ts. It writes after each file, so that a run that is ended still tells what it
 * had found. The process above passes the tier and the place for the records in the environment.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { styleText } from 'node:util';
import { splitSkipReason } from './skip-reason.ts';
import type { TestRecord } from './test-results.ts';

/** What is read of Jest's own results (jest 30, @jest/test-result). */
interface Assertion {
  fullName: string;
  status: string;
  duration?: number | null;
  failureMessages: readonly string[];
}
interface FileResult {
  testFilePath: string;
  testResults: readonly Assertion[];
  failureMessage?: string | null;
  testExecError?: unknown;
  perfStats: { runtime: number };
  console?: readonly { type: string; message: string }[];
}
interface TestFile {
  path: string;
}

export interface Recorded {
  /** Jest ran all files to their end; from then on it only has to exit. */
  complete: boolean;
  tests: TestRecord[];
}

/** Below it no time is shown, and a test that passed gets no line of its own. */
const SHOWN_MS = 100;

export const RECORDS_VARIABLE = 'VMN_TEST_RECORDS';
export const TIER_VARIABLE = 'VMN_TEST_TIER';
/** Set to 1 where each test takes long enough that a person wants to see it pass. */
export const EACH_TEST_VARIABLE = 'VMN_TEST_EACH';
/** Set to 1 where our output ends on a terminal although it goes through a pipe. */
export const COLOUR_VARIABLE = 'VMN_TEST_COLOUR';

export default class TierReporter {
  readonly #projectRoot = process.cwd();
  readonly #tier = process.env[TIER_VARIABLE] ?? 'none';
  readonly #recordsPath = process.env[RECORDS_VARIABLE];
  readonly #eachTest = process.env[EACH_TEST_VARIABLE] === '1';
  readonly #tests: TestRecord[] = [];

  onTestFileStart(test: TestFile): void {
    if (this.#eachTest) process.stdout.write(`  ${relative(this.#projectRoot, test.path)}\n`);
  }

  onTestCaseResult(_test: TestFile, assertion: Assertion): void {
    // Hundreds of quick ones would hide the few that matter.
    const quick = statusOf(assertion) === 'passed' && (assertion.duration ?? 0) < SHOWN_MS;
    if (!this.#eachTest || quick) return;
    const { title, skip } = splitSkipReason(assertion.fullName);
    const text = `    ${mark(statusOf(assertion))} ${title}${seconds(assertion.duration ?? 0)}`;
    process.stdout.write(skip === null ? `${text}\n` : `${text} (${skip.reason})\n`);
  }

  onTestFileResult(_test: TestFile, result: FileResult): void {
    const file = relative(this.#projectRoot, result.testFilePath);
    const records = result.testResults.map((assertion) => this.#record(file, assertion));
    // A file that cannot be loaded has no tests to fail: it counts as one.
    if (result.testExecError !== undefined && !records.some((record) => record.status === 'failed')) {
      records.push({
        title: `${file} runs at all`,
        file,
        tier: this.#tier,
        status: 'failed',
        durationMs: 0,
        failure: result.failureMessage ?? 'the file could not be run',
      });
    }
    this.#tests.push(...records);
    this.#write(false);

    const failed = records.some((record) => record.status === 'failed');
    const counts = `${records.length} ${records.length === 1 ? 'test' : 'tests'}`;
    process.stdout.write(
      `  ${mark(failed ? 'failed' : 'passed')} ${file} · ${counts}${seconds(result.perfStats.runtime)}\n`,
    );
    for (const line of result.console ?? []) process.stdout.write(`      ${line.type}: ${line.message}\n`);
    if (failed && result.failureMessage) process.stdout.write(`${result.failureMessage}\n`);
  }

  onRunComplete(): void {
    this.#write(true);
  }

  #record(file: string, assertion: Assertion): TestRecord {
    const { title, skip } = splitSkipReason(assertion.fullName);
    const status = statusOf(assertion);
    const record: TestRecord = {
      title,
      file,
      tier: this.#tier,
      status,
      durationMs: Math.round(assertion.duration ?? 0),
    };
    if (status === 'skipped') {
      record.skipReason =
        skip?.reason ?? (assertion.status === 'todo' ? 'not written yet' : 'no reason given');
      record.optionalSkip = skip?.optional ?? false;
    }
    if (status === 'failed') record.failure = assertion.failureMessages.join('\n');
    return record;
  }

  #write(complete: boolean): void {
    if (this.#recordsPath === undefined) return;
    const recorded: Recorded = { complete, tests: this.#tests };
    writeFileSync(`${this.#recordsPath}.new`, JSON.stringify(recorded));
    renameSync(`${this.#recordsPath}.new`, this.#recordsPath);
  }
}

function statusOf(assertion: Assertion): TestRecord['status'] {
  if (assertion.status === 'passed' || assertion.status === 'failed') return assertion.status;
  return 'skipped';
}

function mark(status: TestRecord['status']): string {
  const options = { validateStream: process.env[COLOUR_VARIABLE] !== '1' };
  if (status === 'passed') return styleText('green', 'ok', options);
  return status === 'failed' ? styleText('red', 'FAILED', options) : styleText('yellow', 'skipped', options);
}

function seconds(durationMs: number): string {
  return durationMs < SHOWN_MS ? '' : ` · ${(durationMs / 1000).toFixed(1)} s`;
}
