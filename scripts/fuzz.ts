/**
 * Fuzzes the filter: `node scripts/fuzz.ts [TARGET ...]`, with FUZZ_SECONDS, FUZZ_FRAMES and FUZZ_SEED from the environment.
 * libFuzzer on the C entry points, then generated frames through the three engines, then what of native/include/vmn all of
 * that reached. Exit code 1 when something was found, 2 when it could not be done. See docs/fuzzing.md.
 */
import { cannotCount, countCoverage } from './fuzz/coverage.ts';
import { coverageTable } from './fuzz/coverage-report.ts';
import { keepCrash, repeat } from './fuzz/crash.ts';
import { runDifferential } from './fuzz/differential.ts';
import { shown } from './fuzz/folders.ts';
import { runSlice, thinCorpus } from './fuzz/fuzz-run.ts';
import { buildFuzzers } from './fuzz/native-build.ts';
import { readSettings, type Settings, SettingsError } from './fuzz/settings.ts';
import { lanesOf, type TargetName } from './fuzz/target.ts';

const HEARTBEAT_MS = 15_000;
/** Of the frames that only two engines can be told, so many for one of those that all three are. */
const HOST_SHARE = 0.2;

const began = Date.now();
const say = (text: string): void => {
  process.stderr.write(`[fuzz ${Math.round((Date.now() - began) / 1000)} s] ${text}\n`);
};
const many = (count: number): string => count.toLocaleString('en');

/** What went wrong, a line each. */
type Findings = string[];

async function fuzz({ targets, seconds, seed, cores }: Settings, signal: AbortSignal): Promise<Findings> {
  const findings: Findings = [];
  const inputs = new Map<TargetName, number>();
  const crashed = new Set<TargetName>();
  const lanes = lanesOf(targets, seconds, cores).map(async (slices, lane) => {
    for (const slice of slices) {
      if (signal.aborted || crashed.has(slice.target)) continue;
      const result = await runSlice(slice, `${slice.target}-${lane}`, seed + lane, signal);
      inputs.set(slice.target, (inputs.get(slice.target) ?? 0) + result.inputs);
      say(`${slice.target}: ${many(result.inputs)} inputs in ${slice.seconds} s on core ${lane}`);
      if (result.crash === null) continue;
      crashed.add(slice.target);
      say(`${slice.target}: FOUND\n${result.crash.said}`);
      const kept = await keepCrash(result, seed + lane, signal);
      findings.push(`${slice.target}: ${kept === null ? 'nothing kept' : repeat(slice.target, kept)}`);
    }
  });
  await Promise.all(lanes);
  for (const target of targets) if (!signal.aborted) await thinCorpus(target, signal);
  for (const [target, count] of inputs) process.stdout.write(`${target.padEnd(10)} ${many(count)} inputs\n`);
  return findings;
}

async function differential({ frames, seed, cores }: Settings, signal: AbortSignal): Promise<Findings> {
  const findings: Findings = [];
  const isRoot = process.getuid?.() === 0;
  const hostFrames = isRoot ? Math.ceil(frames * HOST_SHARE) : frames;
  const parts = [
    { venue: 'kernel', frames, engines: 'eBPF, C and the reference' },
    { venue: 'host', frames: hostFrames, engines: 'C and the reference (not told to the kernel)' },
  ] as const;
  for (const part of parts) {
    if (signal.aborted || frames === 0) break;
    if (part.venue === 'kernel' && !isRoot) {
      process.stdout.write('skipped: frames through the eBPF program need root\n');
      continue;
    }
    let saidAt = Date.now();
    const report = await runDifferential(part.venue, part.frames, seed, cores, signal, (soFar) => {
      if (Date.now() - saidAt < HEARTBEAT_MS) return;
      saidAt = Date.now();
      say(`${many(soFar)} of ${many(part.frames)} frames through ${part.engines}`);
    });
    if (signal.aborted && report.frames === 0) break;
    const rate = Math.round(report.frames / report.seconds);
    process.stdout.write(
      `${many(report.frames)} frames through ${part.engines}: ${report.kept.length} differences, ` +
        `${report.outcomes} outcomes, ${Math.round(report.seconds)} s, ${many(rate)} a second\n`,
    );
    findings.push(...report.kept.map(({ path, told }) => `${shown(path)}: ${told}`));
    if (!signal.aborted)
      findings.push(...report.broken.map((text) => `a worker of the differential ${text}`));
  }
  return findings;
}

/** After something was found there may be none: an input that crashes the target is not counted. */
async function coverage(signal: AbortSignal, isClean: boolean): Promise<void> {
  const cannot = await cannotCount(signal);
  if (cannot !== null) {
    process.stdout.write(`skipped: coverage ${cannot}\n`);
    return;
  }
  try {
    process.stdout.write(`\n${coverageTable(await countCoverage(signal))}\n`);
  } catch (error) {
    if (isClean || signal.aborted) throw error;
    process.stdout.write('skipped: coverage is not counted while an input crashes its target\n');
  }
}

async function main(signal: AbortSignal): Promise<number> {
  const settings = readSettings(process.argv.slice(2), process.env);
  const { seconds, frames, seed, targets, cores } = settings;
  say(
    `seed ${seed}: ${targets.join(', ')} for ${seconds} s on ${cores} cores, then ${many(frames)} frames; ` +
      'FUZZ_SECONDS, FUZZ_FRAMES and FUZZ_SEED change that',
  );
  await buildFuzzers(signal);
  const findings = [...(await fuzz(settings, signal)), ...(await differential(settings, signal))];
  if (!signal.aborted) await coverage(signal, findings.length === 0);
  for (const finding of findings) process.stdout.write(`FOUND ${finding}\n`);
  const outcome = findings.length === 0 ? 'nothing found' : `${findings.length} found`;
  process.stdout.write(`${signal.aborted ? 'interrupted: ' : ''}${outcome}, seed ${seed}\n`);
  return findings.length > 0 || signal.aborted ? 1 : 0;
}

const interrupt = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(name, () => {
    interrupt.abort(new Error(`interrupted by ${name}`));
  });
try {
  process.exitCode = await main(interrupt.signal);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof SettingsError || !interrupt.signal.aborted ? 2 : 1;
}
