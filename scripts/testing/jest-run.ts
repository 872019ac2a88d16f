/** Runs Jest over one tier in a process of its own and always comes back: with results, or with a failure that says why. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EACH_TEST_VARIABLE, RECORDS_VARIABLE, TIER_VARIABLE, type Recorded } from './reporter.ts';
import type { TestRecord } from './test-results.ts';
import { startOrder, type Tier } from './tier.ts';

/** How long Jest may take to exit once all files are done: longer means that a test left something open. */
const EXIT_GRACE_MS = 6_000;
const KILL_GRACE_MS = 3_000;
const POLL_MS = 100;
/** What a process has printed is here this long after its end, unless a child of its keeps the pipe open. */
const LAST_WORDS_MS = 500;

export interface JestOptions {
  projectRoot: string;
  tier: Tier;
  /** Relative to the project. */
  files: readonly string[];
  /** Only tests whose full name matches this regular expression. */
  title?: string;
  /** Added to ours. */
  env?: Readonly<Record<string, string>>;
  /** Ends the run; its reason, a text, is what the run is said to have failed of. */
  signal: AbortSignal;
  /** Where all that is printed goes; our own output where there is none. */
  print?: (text: string) => void;
}

export async function runJest(options: JestOptions): Promise<TestRecord[]> {
  const { projectRoot, tier, print } = options;
  const records = join(projectRoot, 'build', 'cache', `test-records-${tier.name}-${randomUUID()}.json`);
  mkdirSync(join(projectRoot, 'build', 'cache'), { recursive: true });
  const child = spawn(process.execPath, jestArguments(options), {
    cwd: projectRoot,
    stdio: [
      'ignore',
      ...(print === undefined ? (['inherit', 'inherit'] as const) : (['pipe', 'pipe'] as const)),
    ],
    env: {
      // Tests start many a Node on our sources: types are stripped once for all of them.
      NODE_COMPILE_CACHE: join(projectRoot, 'build', 'cache', 'node-compile'),
      ...process.env,
      ...options.env,
      [RECORDS_VARIABLE]: records,
      [TIER_VARIABLE]: tier.name,
      [EACH_TEST_VARIABLE]: tier.workers === 1 ? '1' : '0',
    },
  });
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', print!);
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const watched = await watch(child, options, () => readRecords(records)?.complete === true);
  await Promise.race([closed, delay(LAST_WORDS_MS)]);
  const recorded = readRecords(records);
  rmSync(records, { force: true });
  const tests = recorded?.tests ?? [];
  let { problem } = watched;
  if (watched.end !== 'exit code 0' && !tests.some((test) => test.status === 'failed')) {
    problem ??= `Jest failed without a failed test (${watched.end}); its output above says why`;
  }
  // A test may have ended the process itself, with whatever code.
  if (recorded?.complete !== true && !tests.some((test) => test.status === 'failed'))
    problem ??= `Jest ended before it had told of all its tests (${watched.end})`;
  if (problem !== null) {
    (print ?? ((text) => process.stdout.write(text)))(`  ${tier.name}: ${problem}\n`);
    const [only, second] = options.files;
    const what = second === undefined && only !== undefined ? { file: only } : {};
    tests.push({
      ...failureOf(tier, `${what.file ?? `the ${tier.name} tier`} runs to its end`, problem),
      ...what,
    });
  }
  return tests;
}

/** Waits for the process and ends it where it does not end by itself. */
async function watch(
  child: ChildProcess,
  { signal }: JestOptions,
  isComplete: () => boolean,
): Promise<{ end: string; problem: string | null }> {
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => {
      resolve(`could not be started: ${error.message}`);
    });
    child.once('exit', (code, name) => {
      resolve(name === null ? `exit code ${code ?? 'unknown'}` : `ended by ${name}`);
    });
  });
  let completeAt: number | null = null;
  for (;;) {
    const end = await Promise.race([exited, delay(POLL_MS, null)]);
    if (end !== null) return { end, problem: null };
    if (completeAt === null && isComplete()) completeAt = Date.now();
    const problem = reasonToEnd(signal, completeAt);
    if (problem === null) continue;
    // SIGINT first: Jest and the tests' own clean-up get their chance.
    child.kill('SIGINT');
    if ((await Promise.race([exited, delay(KILL_GRACE_MS, null)])) === null) child.kill('SIGKILL');
    return { end: await exited, problem };
  }
}

function reasonToEnd(signal: AbortSignal, completeAt: number | null): string | null {
  if (signal.aborted) return String(signal.reason);
  if (completeAt !== null && Date.now() - completeAt > EXIT_GRACE_MS) {
    return 'all tests ended but the process did not: a test left a handle or a child process open';
  }
  return null;
}

/** The signal, and the tier's deadline; `clear` lets the process end before that. */
export function withDeadline(tier: Tier, signal: AbortSignal): { signal: AbortSignal; clear: () => void } {
  const late = new AbortController();
  const minutes = tier.deadlineMs / 60_000;
  const timer = setTimeout(() => late.abort(`not done after ${minutes} minutes`), tier.deadlineMs);
  return { signal: AbortSignal.any([signal, late.signal]), clear: () => clearTimeout(timer) };
}

export function failureOf(tier: Tier, title: string, failure: string): TestRecord {
  return {
    title,
    file: `test/${tier.folders[0] ?? ''}`,
    tier: tier.name,
    status: 'failed',
    durationMs: 0,
    failure,
  };
}

function jestArguments({ projectRoot, tier, files, title }: JestOptions): string[] {
  return [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    join(projectRoot, 'node_modules', 'jest', 'bin', 'jest.js'),
    `--reporters=${join(projectRoot, 'scripts', 'testing', 'reporter.ts')}`,
    `--testTimeout=${tier.testTimeoutMs}`,
    ...(tier.workers === 1 ? ['--runInBand'] : [`--maxWorkers=${tier.workers}`]),
    ...(title === undefined ? [] : [`--testNamePattern=${title}`]),
    `--testSequencer=${join(projectRoot, 'scripts', 'testing', 'given-order.ts')}`,
    '--runTestsByPath',
    ...startOrder(tier, files),
  ];
}

function readRecords(path: string): Recorded | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Recorded;
  } catch {
    return null;
  }
}
