/** `make bench-…`: measures, prints one table, writes bench/results.json and the tables of docs/performance.md. */
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { agentBenchmark } from './agent/benchmark.ts';
import type { Benchmark, Progress, Scope } from './benchmark.ts';
import { documentResults, RESULTS } from './document.ts';
import { filterBenchmark } from './filter/benchmark.ts';
import { fleetBenchmark } from './fleet/benchmark.ts';
import { thisCommit, thisKernel, thisMachine } from './machine.ts';
import { renderTable } from './report/terminal.ts';
import { mergeResults, readResults, writeResults, type Results } from './results.ts';
import { isMeasured, type Row } from './row.ts';

const BENCHMARKS: readonly Benchmark[] = [filterBenchmark, fleetBenchmark, agentBenchmark];

/** From here on somebody else uses the caches, and perhaps the other half of the core. */
const BUSY_LOAD = 1;

const USAGE = `usage: node bench/main.ts [options] [${BENCHMARKS.map(({ name }) => name).join('|')} ...]

Without a name all benchmarks run. filter needs root and a build (make build), and touches nothing but network namespaces of
its own. fleet starts a Kubernetes API server of its own (make kube-assets), and takes minutes. agent needs all of this.

  -o, --output table|json  how the result is printed (default: table)
      --nodes N            hosts of the fleet, 10 to 1000 (default: 1000); with it nothing is written
      --taps N             taps that an agent attaches, 4 to 1000 (default: 1000); likewise, and less of all else is measured
      --vms N              VMs beside which an agent is at rest, 1 to 200 (default: 100); likewise
      --no-write           measure and print, leave bench/results.json and docs/performance.md as they are
  -h, --help               this text

Exit code 0: every gate reached. 1: a gate missed. 2: wrong usage, or something could not be measured.
`;

interface Wanted {
  benchmarks: readonly Benchmark[];
  json: boolean;
  write: boolean;
  scope: Scope;
}

class UsageError extends Error {}

function wanted(): Wanted | 'help' {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      output: { type: 'string', short: 'o', default: 'table' },
      nodes: { type: 'string' },
      taps: { type: 'string' },
      vms: { type: 'string' },
      'no-write': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  if (values.output !== 'table' && values.output !== 'json') {
    throw new UsageError(`-o ${values.output}: there are table and json`);
  }
  const unknown = positionals.find((name) => !BENCHMARKS.some((benchmark) => benchmark.name === name));
  if (unknown !== undefined) throw new UsageError(`there is no benchmark ${unknown}`);
  const benchmarks = BENCHMARKS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const scope: Scope = {
    ...numberIn('nodes', values.nodes, 10, 1000),
    ...numberIn('taps', values.taps, 4, 1000),
    ...numberIn('vms', values.vms, 1, 200),
  };
  const write = !values['no-write'] && Object.keys(scope).length === 0;
  return { benchmarks, json: values.output === 'json', write, scope };
}

function numberIn(name: keyof Scope, text: string | undefined, least: number, most: number): Scope {
  if (text === undefined) return {};
  const value = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return { [name]: value };
  throw new UsageError(`--${name} ${text}: a whole number from ${String(least)} to ${String(most)}`);
}

async function measureAll({ benchmarks, scope }: Wanted, commit: string): Promise<Row[]> {
  const began = performance.now();
  const progress: Progress = (text) => {
    const seconds = ((performance.now() - began) / 1000).toFixed(0).padStart(3);
    process.stderr.write(`[bench ${seconds} s] ${text}\n`);
  };
  const [load = 0] = loadavg();
  if (load > BUSY_LOAD)
    progress(
      `this machine does other things (load ${load.toFixed(1)}): costs will look higher than they are`,
    );
  const rows: Row[] = [];
  for (const benchmark of benchmarks) {
    const missing = benchmark.missing();
    if (missing !== null) throw new Error(`the ${benchmark.name} benchmark cannot run here: ${missing}`);
    rows.push(...(await benchmark.run(commit, progress, scope)));
  }
  progress('done');
  return rows;
}

/** The gates that were missed, one line each. */
function report(results: Results, json: boolean): string[] {
  process.stdout.write(json ? `${JSON.stringify(results, null, 2)}\n` : renderTable(results.rows));
  return results.rows
    .filter(isMeasured)
    .filter(({ pass }) => pass === false)
    .map(({ number, what, against, median, unit, gate }) => {
      return `gate missed: ${number} ${what}, against ${against}: ${median} ${unit}, the gate is ${gate ?? 0} ${unit}`;
    });
}

async function main(): Promise<number> {
  const asked = wanted();
  if (asked === 'help') {
    process.stdout.write(USAGE);
    return 0;
  }
  const commit = thisCommit(join(import.meta.dirname, '..'));
  const rows = await measureAll(asked, commit);
  const date = new Date().toISOString().slice(0, 10);
  const results: Results = { machine: thisMachine(), kernel: thisKernel(), commit, date, rows };
  if (asked.write) {
    writeResults(RESULTS, mergeResults(readResults(RESULTS), results));
    documentResults();
  }
  const missed = report(results, asked.json);
  for (const line of missed) process.stderr.write(`${line}\n`);
  return missed.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage =
    error instanceof UsageError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS');
  process.stderr.write(
    `${error instanceof Error ? error.message : String(error)}\n${isUsage === true ? `\n${USAGE}` : ''}`,
  );
  process.exitCode = 2;
}
