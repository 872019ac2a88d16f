/** build/test-results.json: what the last run of each tier gave. Written by `make test`, read by `make acceptance`. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export type TestStatus = 'passed' | 'failed' | 'skipped';

export interface TestRecord {
  /** Full name: the describe blocks and the test's own title, without the skip reason. */
  title: string;
  /** Relative to the project's folder. */
  file: string;
  tier: string;
  status: TestStatus;
  durationMs: number;
  skipReason?: string;
  /** A skip of a peer that a machine may lack; in CI any other skip is a failure. */
  optionalSkip?: boolean;
  failure?: string;
}

export interface TierRecord {
  name: string;
  startedAt: string;
  durationMs: number;
  /** Hash of everything the tests judge, see inputs-hash.ts; another hash today makes these results stale. */
  inputsHash: string;
  /** False after a run of single files or titles: the tier as a whole was not tried. */
  whole: boolean;
  tests: TestRecord[];
}

export interface TestResults {
  node: string;
  kernel: string;
  tiers: TierRecord[];
}

export function resultsPath(projectRoot: string): string {
  return join(projectRoot, 'build', 'test-results.json');
}

/** Null when there is none, or it is not readable as JSON: then nothing is known, and the reader says so. */
export function readResults(path: string): TestResults | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as TestResults;
  } catch {
    return null;
  }
}

/**
 * Replaces the records of the tiers that ran and keeps the others. A run of single files or titles is put into the
 * tier's earlier record when that judged the same sources, else it stands alone.
 */
export function mergeResults(earlier: TestResults | null, now: TestResults): TestResults {
  const ran = new Set(now.tiers.map((tier) => tier.name));
  const kept = (earlier?.tiers ?? []).filter((tier) => !ran.has(tier.name));
  return { ...now, tiers: [...kept, ...now.tiers.map((tier) => mergeTier(earlier, tier))] };
}

function mergeTier(earlier: TestResults | null, tier: TierRecord): TierRecord {
  const before = earlier?.tiers.find(({ name }) => name === tier.name);
  if (tier.whole || before === undefined || before.inputsHash !== tier.inputsHash) return tier;
  const again = new Set(tier.tests.map(identity));
  return { ...before, tests: [...before.tests.filter((test) => !again.has(identity(test))), ...tier.tests] };
}

function identity(test: TestRecord): string {
  return `${test.file}\0${test.title}`;
}

export function writeResults(path: string, results: TestResults): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, `${JSON.stringify(results, null, 2)}\n`);
  renameSync(`${path}.new`, path);
}
