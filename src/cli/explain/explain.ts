import { systemKernel } from '../../agent/host/system-kernel.ts';
import type { CommandContext, OutputFormat } from '../command-context.ts';
import { EXIT_INTERRUPTED, EXIT_NOT_AS_ASKED, EXIT_OK } from '../exit-code.ts';
import { HostFilters } from '../filters/host-filters.ts';
import type { PathOptions } from '../options.ts';
import { demandRoot } from '../root.ts';
import { framesOf, type FrameSource } from './capture/frame-source.ts';
import { closeEngines, openEngines } from './engine/engine-choice.ts';
import type { Direction, Engine, EngineName } from './engine/engine.ts';
import { SeededNumbers } from './engine/seed.ts';
import { CaptureJudge } from './judge/capture-judge.ts';
import type { Explanation } from './judge/explanation.ts';
import { hostKnowledge } from './policy/host-knowledge.ts';
import { type JudgedBy, policyOfFile } from './policy/judged-by.ts';
import { livePolicy } from './policy/live-policy.ts';
import type { PolicyOptions } from './policy/policy-options.ts';
import { jsonReport, lineWidth, type Report, tableReport } from './report/report.ts';
import { Tally } from './report/tally.ts';

export interface ExplainOptions extends FrameSource, Omit<PolicyOptions, 'policy'>, PathOptions {
  /** Exactly one of these: a file, or the name of a VM whose policy is read back from the kernel. */
  readonly policy?: string;
  readonly live?: string;
  readonly direction: Direction | 'auto';
  readonly engine: readonly EngineName[];
  readonly seed: number;
  readonly failOnDrop?: boolean;
  readonly wide?: boolean;
  readonly output: OutputFormat;
}

const SECRET_BYTES = 16;
const MOST_ROWS = 500;

/** Judges and prints. Resolves with the exit code; throws for a policy or a capture that cannot be used. */
export async function explain(
  context: CommandContext,
  options: ExplainOptions,
  open: (names: readonly EngineName[]) => Engine[] = openEngines,
): Promise<number> {
  const by = policyToJudgeBy(context, options);
  const engines = open(options.engine);
  try {
    const judge = new CaptureJudge(engines, {
      direction: options.direction,
      guestMac: by.guestMac,
      ...chance(by, options),
    });
    const tally = new Tally();
    const write = writer(context, options, by);
    for await (const batch of framesOf(options, context.signal)) {
      const rows: Explanation[] = [];
      try {
        for (const frame of batch) {
          const said = judge.judge(frame);
          tally.add(said);
          rows.push(...said);
          if (rows.length >= MOST_ROWS) await write(rows.splice(0));
        }
      } finally {
        // Also what was judged before the capture turned out to be damaged.
        await write(rows);
      }
    }
    sumUp(context, options, tally);
    return context.signal.aborted ? EXIT_INTERRUPTED : exitCodeOf(options, tally);
  } finally {
    closeEngines(engines);
  }
}

function policyToJudgeBy({ clock }: CommandContext, options: ExplainOptions): JudgedBy {
  const { policy, live } = options;
  if (policy !== undefined) return policyOfFile({ ...options, policy }, hostKnowledge(options));
  if (live === undefined) throw new TypeError('neither a file nor a VM');
  demandRoot('read the policy in force');
  const kernel = systemKernel();
  const filters = new HostFilters(kernel, options);
  return livePolicy(live, options.frame === undefined, { filters, kernel, clock });
}

/** What the kernel would take from its clock and its random numbers. */
function chance(
  by: JudgedBy,
  { seed, engine, frame }: ExplainOptions,
): Pick<ConstructorParameters<typeof CaptureJudge>[1], 'nonces' | 'policyFor'> {
  const numbers = new SeededNumbers(seed);
  const secret = numbers.bytes(SECRET_BYTES);
  const limits = frame === undefined && !engine.includes('ebpf');
  return { nonces: numbers, policyFor: (startNs) => by.policyFor({ secret, startNs, limits }) };
}

/** Says what is judged by before the first rows, and only then: what fails before that is all that is said. */
function writer(
  { output }: CommandContext,
  options: ExplainOptions,
  by: JudgedBy,
): (rows: readonly Explanation[]) => Promise<void> {
  const report = options.output === 'json' ? jsonReport : table(output, options);
  let begun = false;
  return async (rows) => {
    if (rows.length === 0) return;
    if (!begun) {
      if (options.output === 'table') output.note(by.description);
      for (const line of [...by.caveats, ...leftOut(by, options)]) output.note(line);
    }
    begun = true;
    await output.text(report(rows));
  };
}

function table(output: CommandContext['output'], { wide, engine }: ExplainOptions): Report {
  const showEngine = engine.length > 1;
  return tableReport(output, { lineWidth: wide ? Infinity : lineWidth(output.columns), showEngine });
}

/** What of the policy these frames or these engines cannot show. */
function leftOut(by: JudgedBy, { engine, frame }: ExplainOptions): string[] {
  const lines: string[] = [];
  if (by.hasLimits && engine.includes('ebpf'))
    lines.push('limits are left out: the eBPF engine goes by the clock of this machine, not of the capture');
  else if (by.hasLimits && frame !== undefined)
    lines.push('limits are left out: frames given by hand have no time');
  if (by.mode === 'Sampled' && engine.includes('ebpf'))
    lines.push('the eBPF engine draws by itself: another run may draw other frames');
  return lines;
}

function sumUp({ output }: CommandContext, options: ExplainOptions, tally: Tally): void {
  if (options.output === 'table') output.note(tally.summary);
  for (const line of tally.comparison) output.note(`vmnetctl: ${line}`);
}

function exitCodeOf({ failOnDrop }: ExplainOptions, tally: Tally): number {
  const failed = tally.firstDifference !== null || tally.unknown > 0 || (failOnDrop && tally.dropped > 0);
  return failed ? EXIT_NOT_AS_ASKED : EXIT_OK;
}
