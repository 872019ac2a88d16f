/** The words after the last tier: skips with their reasons, failures, slow tests, times, and the closing line. */
import type { TestRecord, TierRecord } from './test-results.ts';

const SLOWEST_SHOWN = 8;
const SLOW_MS = 500;

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** With `strict` (CI) a skip that is not optional counts as failed: what was not tried has not been shown to work. */
export function countTests(tests: readonly TestRecord[], strict: boolean): Counts {
  const failed = tests.filter((test) => counted(test, strict) === 'failed').length;
  const passed = tests.filter((test) => test.status === 'passed').length;
  return { passed, failed, skipped: tests.length - passed - failed };
}

/** The exact form that CI reads. */
export function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

export function summaryLines(tiers: readonly TierRecord[], strict: boolean): string[] {
  const tests = tiers.flatMap((tier) => tier.tests);
  return [
    ...section(
      'skipped:',
      tests
        .filter((test) => test.status === 'skipped' && counted(test, strict) === 'skipped')
        .map((test) => `  ${test.title}: ${test.skipReason ?? 'no reason given'} (${test.file})`),
    ),
    ...section(
      'skipped, which counts as failed with CI=true:',
      tests
        .filter((test) => test.status === 'skipped' && counted(test, strict) === 'failed')
        .map((test) => `  ${test.title}: ${test.skipReason ?? 'no reason given'} (${test.file})`),
    ),
    ...section(
      'failed:',
      tests.filter((test) => test.status === 'failed').map((test) => `  ${test.title} (${test.file})`),
    ),
    ...section('slowest:', slowest(tests)),
    '',
    tiers.map((tier) => `${tier.name} ${seconds(tier.durationMs)}`).join(' · '),
  ];
}

function counted(test: TestRecord, strict: boolean): TestRecord['status'] {
  return strict && test.status === 'skipped' && test.optionalSkip !== true ? 'failed' : test.status;
}

function slowest(tests: readonly TestRecord[]): string[] {
  return tests
    .filter((test) => test.durationMs >= SLOW_MS)
    .sort((a, b) => b.durationMs - a.durationMs)
    .slice(0, SLOWEST_SHOWN)
    .map((test) => `  ${seconds(test.durationMs).padStart(8)}  ${test.title} (${test.file})`);
}

function section(heading: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', heading, ...lines];
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}
