import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { FOLDERS } from './folders.ts';
import { fuzzer } from './native-build.ts';
import { runProgram } from './program.ts';
import type { Slice, TargetName } from './target.ts';

/** What came of one slice. */
export interface SliceResult {
  readonly target: TargetName;
  readonly inputs: number;
  /** The input that ended it, and what the fuzzer said; null: nothing was found. */
  readonly crash: { readonly input: string; readonly said: string } | null;
}

const INPUT_BYTES = 12_000;
const INPUT_SECONDS = 10;
/** libFuzzer ends by itself; this is how long after its time it may take. */
const GRACE_SECONDS = 60;
const CORPUS_FILES = 20_000;

/** `prefix` begins the names of what is found. */
export async function runSlice(
  { target, seconds }: Slice,
  prefix: string,
  seed: number,
  signal: AbortSignal,
): Promise<SliceResult> {
  const artifacts = join(FOLDERS.artifacts, `${prefix}-`);
  const folders = [FOLDERS.corpus(target), FOLDERS.seeds(target), FOLDERS.found(target)].filter(existsSync);
  const { code, stderr } = await runProgram(
    fuzzer(target),
    [
      `-max_total_time=${seconds}`,
      `-max_len=${INPUT_BYTES}`,
      `-timeout=${INPUT_SECONDS}`,
      `-artifact_prefix=${artifacts}`,
      `-seed=${seed}`,
      '-print_final_stats=1',
      '-reload=5',
      ...folders,
    ],
    { signal, seconds: seconds + GRACE_SECONDS },
  );
  const inputs = Number(/stat::number_of_executed_units:\s*(\d+)/.exec(stderr)?.[1] ?? 0);
  if (code === 0 || signal.aborted) return { target, inputs, crash: null };
  const input = /Test unit written to (\S+)/.exec(stderr)?.[1] ?? '';
  return { target, inputs, crash: { input, said: whatItSaid(stderr) } };
}

/** The claim that did not hold and the frame, or what a sanitizer found, without the stack. */
export function whatItSaid(stderr: string): string {
  const lines = stderr
    .split('\n')
    .filter((line) =>
      /does not hold|runtime error|ERROR:|SUMMARY:|^(from|to) the VM|^policy:|^frame:|\.c:\d+:/.test(line),
    )
    .filter((line) => !/^\s*#\d/.test(line))
    .map((line) => line.slice(0, 2000));
  return [...new Set(lines)].slice(0, 8).join('\n') || stderr.trim().split('\n').slice(-5).join('\n');
}

/** Only the inputs that each reach something of their own are kept for the next run, once there are many. */
export async function thinCorpus(target: TargetName, signal: AbortSignal): Promise<void> {
  const corpus = FOLDERS.corpus(target);
  if (readdirSync(corpus).length < CORPUS_FILES) return;
  const thin = `${corpus}.thin`;
  rmSync(thin, { recursive: true, force: true });
  mkdirSync(thin);
  const { code } = await runProgram(fuzzer(target), ['-merge=1', thin, corpus], { signal, seconds: 300 });
  if (code !== 0) return;
  rmSync(corpus, { recursive: true, force: true });
  renameSync(thin, corpus);
}
