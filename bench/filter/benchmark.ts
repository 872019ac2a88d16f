import type { Benchmark, Progress } from '../benchmark.ts';
import type { Effort } from '../measure/program.ts';
import type { Row } from '../row.ts';
import { FULL } from './full.ts';
import { measureJudgements, type Venue } from './judgement.ts';
import { LOOKUP } from './lookup.ts';
import { MODES } from './modes.ts';
import { measureRejection } from './rejection.ts';

const ROUNDS = 21;
/** Under BPF_PROG_TEST_RUN a call has to be long against its own cost. Verifying a copy takes as long as measuring it. */
const EFFORTS: Record<Venue, Effort> = {
  'in place': { rounds: ROUNDS, frames: 20_000, copies: 3 },
  'test run': { rounds: ROUNDS, frames: 100_000, copies: 3 },
};
/** More than a million frames a side. */
const REJECTION: Effort = { rounds: ROUNDS, frames: 50_000 };

const JUDGEMENTS = [...FULL, ...LOOKUP, ...MODES];

/** P1, P2 and P3, the ways to look the policy up, the modes. */
export const filterBenchmark: Benchmark = {
  name: 'filter',
  groups: ['filter', 'lookup', 'modes'],
  missing: () =>
    process.getuid?.() === 0 ? null : 'it loads eBPF programs and makes network namespaces: run it as root',
  run: measure,
};

async function measure(commit: string, progress: Progress): Promise<Row[]> {
  const rows: Row[] = [];
  for (const venue of ['in place', 'test run'] as const) {
    const kinds = JUDGEMENTS.filter((judgement) => judgement.venue === venue).length;
    progress(`${kinds} kinds of judgement, ${venue}, ${inWords(EFFORTS[venue])}`);
    rows.push(...(await measureJudgements(venue, JUDGEMENTS, EFFORTS[venue], commit)));
  }
  progress(`turning packets down, ${inWords(REJECTION)}`);
  rows.push(...(await measureRejection(REJECTION, commit)));
  return filterBenchmark.groups.flatMap((group) => rows.filter((row) => row.group === group));
}

function inWords({ rounds, frames }: Effort): string {
  return `${rounds} rounds of ${frames} frames`;
}
