/**
 * Runs the tests, tier after tier: `node scripts/test.ts [options] [TIER|PATH ...]`. Without arguments all tiers run.
 * Writes build/test-results.json and ends with exactly one line `N passed, N failed, N skipped`; exit code 1 when a
 * test failed, and with CI=true also when a required one was skipped or a tier has none. See test/README.md.
 */
import { release, type } from 'node:os';
import { join } from 'node:path';
import { parseArgs, styleText } from 'node:util';
import { inputsHash } from './testing/inputs-hash.ts';
import { failureOf } from './testing/jest-run.ts';
import { leftovers, newLeftovers } from './testing/leftovers.ts';
import { runFiles } from './testing/run-files.ts';
import { closingLine, countTests, summaryLines } from './testing/summary.ts';
import type { TestRecord, TierRecord } from './testing/test-results.ts';
import { mergeResults, readResults, resultsPath, writeResults } from './testing/test-results.ts';
import { plainTitles, testFiles } from './testing/test-source.ts';
import { TIERS, tierNamed, type Tier } from './testing/tier.ts';

const projectRoot = join(import.meta.dirname, '..');
const strict = process.env['CI'] === 'true';

interface Wanted {
  tiers: readonly Tier[];
  paths: readonly string[];
  title: string | undefined;
}

function usage(problem?: string): never {
  const names = TIERS.map((tier) => tier.name).join('|');
  const text = `usage: node scripts/test.ts [-t TITLE] [${names}|PATH ...]\n`;
  if (problem === undefined) process.stdout.write(text);
  else process.stderr.write(`${problem}\n${text}`);
  process.exit(problem === undefined ? 0 : 2);
}

function wanted(): Wanted {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { title: { type: 'string', short: 't' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) usage();
  const named = TIERS.filter((tier) => positionals.includes(tier.name));
  const paths = positionals.filter((argument) => tierNamed(argument) === undefined);
  const holders = TIERS.filter((tier) => testFiles(projectRoot, tier).some((file) => isWanted(file, paths)));
  if (paths.length > 0 && holders.length === 0) usage(`no test file matches ${paths.join(' ')}`);
  const tiers = paths.length > 0 ? holders : named.length > 0 ? named : TIERS;
  return { tiers, paths, title: values.title };
}

/** A path may be a folder, a file, or a part of either. */
function isWanted(file: string, paths: readonly string[]): boolean {
  return paths.length === 0 || paths.some((path) => file.includes(path));
}

async function runTier(tier: Tier, { paths, title }: Wanted, signal: AbortSignal): Promise<TierRecord> {
  const files = testFiles(projectRoot, tier).filter((file) => isWanted(file, paths));
  process.stdout.write(
    `\n${styleText('bold', `== ${tier.name}`)} · test/{${tier.folders.join(',')}} · ${files.length} files\n`,
  );
  const startedAt = new Date();
  const record: TierRecord = {
    name: tier.name,
    startedAt: startedAt.toISOString(),
    durationMs: 0,
    inputsHash: inputsHash(projectRoot),
    whole: paths.length === 0 && title === undefined,
    tests: [],
  };
  if (tier.needsRoot && process.getuid?.() !== 0) {
    record.tests = notRoot(tier, files);
    process.stdout.write(`  skipped: needs root (sudo make test-${tier.name})\n`);
  } else if (files.length === 0) {
    process.stdout.write('  no test files\n');
    if (strict) record.tests.push(failureOf(tier, `the ${tier.name} tier has tests`, 'no test files'));
  } else {
    const looksBehind = tier.needsRoot || tier.controlPlane === true;
    const before = looksBehind ? leftovers('processes like ours') : null;
    const options = { projectRoot, tier, files, signal, ...(title === undefined ? {} : { title }) };
    const { tests, left } = await runFiles(options);
    record.tests = tests;
    // A title filter makes every other test "skipped": they were not asked for, so they are not counted.
    if (title !== undefined) record.tests = record.tests.filter((test) => test.status !== 'skipped');
    if (before !== null) record.tests.push(...nothingLeftBehind(tier, before, left));
  }
  record.durationMs = Date.now() - startedAt.getTime();
  const counts = countTests(record.tests, strict);
  process.stdout.write(
    `  ${tier.name}: ${closingLine(counts)} · ${(record.durationMs / 1000).toFixed(1)} s\n`,
  );
  return record;
}

/** Told apart by the titles in the sources, without running them; a file that has none to read counts as one test. */
function notRoot(tier: Tier, files: readonly string[]): TestRecord[] {
  return files
    .flatMap((file) => {
      const titles = plainTitles(projectRoot, file);
      return titles.length > 0 ? titles : [{ title: file, file }];
    })
    .map(({ title, file }) => ({
      title,
      file,
      tier: tier.name,
      status: 'skipped',
      durationMs: 0,
      skipReason: `needs root: sudo make test-${tier.name}`,
    }));
}

/** In CI a test of its own; on a developer's machine others may work at the same time, so there it is a warning. */
function nothingLeftBehind(
  tier: Tier,
  before: ReadonlySet<string>,
  inLanes: readonly string[],
): TestRecord[] {
  const onHost = newLeftovers(before, leftovers('processes like ours'));
  if (onHost.length > 0) process.stdout.write(`  left behind (by these tests?): ${onHost.join('; ')}\n`);
  if (!strict) return [];
  const left = [...inLanes, ...onHost];
  const title = `the ${tier.name} tier leaves no namespace, tap, pin, mount or process behind`;
  if (left.length > 0) return [failureOf(tier, title, left.join('; '))];
  return [{ ...failureOf(tier, title, ''), status: 'passed' }];
}

async function main(): Promise<void> {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupt.abort('interrupted'));
  const asked = wanted();
  const user = process.getuid?.() === 0 ? 'root' : 'not root';
  process.stdout.write(
    `node ${process.version} · ${type()} ${release()} · ${user}${strict ? ' · CI' : ''}\n`,
  );
  const tiers: TierRecord[] = [];
  for (const tier of asked.tiers) {
    if (interrupt.signal.aborted) break;
    tiers.push(await runTier(tier, asked, interrupt.signal));
  }
  const path = resultsPath(projectRoot);
  writeResults(path, mergeResults(readResults(path), { node: process.version, kernel: release(), tiers }));
  const counts = countTests(
    tiers.flatMap((tier) => tier.tests),
    strict,
  );
  process.stdout.write(`${summaryLines(tiers, strict).join('\n')}\n\n${closingLine(counts)}\n`);
  process.exitCode = counts.failed > 0 || counts.passed === 0 || interrupt.signal.aborted ? 1 : 0;
}

await main();
