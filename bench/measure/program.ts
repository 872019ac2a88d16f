import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../test/support/lab/index.ts';
import { planLine, type Subject } from './subject.ts';

const buildFolder = join(import.meta.dirname, '..', '..', 'build', 'native');

/** How long one program may take. It needs a quarter of a minute, more on a machine that does other things. */
const DEADLINE_MS = 120_000;
const LINES_SHOWN = 10;

/** What every program of native/bench prints for each subject and round. */
interface Counts {
  name: string;
  round: number;
  frames: number;
  /** Frames in the subject's slots. */
  counted: number;
  /** Frames that came through and were counted behind; absent where nothing comes through. */
  sunk?: number;
}

/** A program and the empty one, ns a run. */
export interface PairSample extends Counts {
  emptyNs: number;
  filterNs: number;
}

/** A frame from its arrival to its end, ns. */
export interface InjectSample extends Counts {
  ns: number;
}

export interface Effort {
  rounds: number;
  /** Frames of a subject in a round. */
  frames: number;
  /** How often each program is loaded; rounds go over these copies, since where one lies in memory changes its cost. */
  copies?: number;
}

/** BPF_PROG_TEST_RUN: the same frame again and again. */
export function testRun(subjects: readonly Subject[], effort: Effort): Promise<Map<string, PairSample[]>> {
  return run('vmn_bench_test_run', subjects, effort);
}

/** The tcx hook of a tap, by the kernel's statistics. */
export function inPlace(subjects: readonly Subject[], effort: Effort): Promise<Map<string, PairSample[]>> {
  return run('vmn_bench_in_place', subjects, effort);
}

/** The whole way of a frame through a network namespace. */
export function inject(subjects: readonly Subject[], effort: Effort): Promise<Map<string, InjectSample[]>> {
  return run('vmn_bench_inject', subjects, effort);
}

/** Rejects with what the program said when the kernel refused something, and when a subject has not all its rounds. */
async function run<Sample extends Counts>(
  name: string,
  subjects: readonly Subject[],
  { rounds, frames, copies = 1 }: Effort,
): Promise<Map<string, Sample[]>> {
  const program = join(buildFolder, name);
  if (!existsSync(program)) throw new Error(`${name} is not built: run make build`);
  const options = Object.entries({ rounds, frames, copies }).flatMap(([key, value]) => [
    `--${key}`,
    String(value),
  ]);
  const { stdout, stderr, code } = await runCommand([program, ...options], {
    input: subjects.map((subject) => `${planLine(subject)}\n`).join(''),
    cwd: join(buildFolder, 'bpf'),
    timeoutMs: DEADLINE_MS,
  });
  if (code !== 0) throw new Error(`${name}: exit ${code}\n${lastLines(stderr)}`);
  const samples = new Map<string, Sample[]>(subjects.map((subject) => [subject.name, []]));
  for (const line of stdout.split('\n').filter((text) => text !== '')) {
    const sample = JSON.parse(line) as Sample;
    samples.get(sample.name)?.push(sample);
  }
  for (const [subject, { length }] of samples) {
    if (length !== rounds) throw new Error(`${name}: ${subject} has ${length} of ${rounds} rounds`);
  }
  return samples;
}

/** A verifier that refuses a program says so at the end of ten thousand lines. */
function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-LINES_SHOWN).join('\n');
}

/** Of the frames of all rounds: how many there were, and that each met the fate that the subject is about. */
export function framesAccountedFor<Sample extends Counts>(
  samples: readonly Sample[],
  count: (sample: Sample) => number | undefined = ({ counted }) => counted,
): number {
  const astray = samples.find((sample) => count(sample) !== sample.frames);
  if (astray !== undefined) {
    const { name, round, frames } = astray;
    throw new Error(`${name}, round ${round}: ${count(astray) ?? 0} of ${frames} frames met their fate`);
  }
  return samples.reduce((sum, { frames }) => sum + frames, 0);
}
