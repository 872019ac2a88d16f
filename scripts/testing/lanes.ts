/** Gives the files of a tier out to lanes, the longest first, and puts together what came of them. */
import { availableParallelism } from 'node:os';
import { failureOf, type JestOptions } from './jest-run.ts';
import { Lane } from './lane.ts';
import type { LaneSetup } from './lane-messages.ts';
import type { TestRecord } from './test-results.ts';
import { named, startOrder, type Tier } from './tier.ts';

export interface LanesResult {
  tests: TestRecord[];
  /** What files left behind in their lanes, with the name of the file. */
  left: string[];
}

/** How many at once: one for each processor, and no more than the tier wants. VMN_LANES says otherwise; 0 is none. */
export function laneCount(tier: Tier, asked = process.env['VMN_LANES']): number {
  if (tier.lanes === undefined) return 0;
  return asked === undefined ? Math.min(tier.lanes, availableParallelism()) : Number(asked);
}

export async function runInLanes(options: JestOptions, count: number): Promise<LanesResult> {
  const { projectRoot, tier, title, files, env = {}, signal } = options;
  const setup: LaneSetup = { projectRoot, tier: tier.name, ...(title === undefined ? {} : { title }) };
  const byFile = new Map<string, TestRecord[]>();
  const left: string[] = [];

  /** One lane after another under this number: one that ended, or in which something was left, is not used again. */
  const worker = (number: number) => {
    let lane: Lane | null = null;
    return {
      async run(file: string): Promise<void> {
        const used = (lane ??= new Lane(number, setup, env));
        const interrupt = (): void => used.interrupt(String(signal.reason));
        signal.addEventListener('abort', interrupt);
        const { outcome, output } = await used.run(file);
        signal.removeEventListener('abort', interrupt);
        process.stdout.write(output);
        if (typeof outcome !== 'string') {
          byFile.set(file, outcome.tests);
          left.push(...outcome.left.map((what) => `${what} (${file})`));
          if (outcome.left.length === 0) return;
          process.stdout.write(`  left behind by ${file}: ${outcome.left.join('; ')}\n`);
        } else {
          const problem = `its lane ended before it did (${outcome})`;
          byFile.set(file, [{ ...failureOf(tier, `${file} runs to its end`, problem), file }]);
          process.stdout.write(`  ${file}: ${problem}\n`);
        }
        await this.end();
      },
      async end(): Promise<void> {
        await lane?.end();
        lane = null;
      },
    };
  };

  await giveOut(tier, files, count, worker, signal);
  const tests = files.flatMap((file) => byFile.get(file) ?? []);
  if (signal.aborted && !tests.some(({ status }) => status === 'failed'))
    tests.push(failureOf(tier, `the ${tier.name} tier runs to its end`, String(signal.reason)));
  return { tests, left };
}

export interface Worker {
  run: (file: string) => Promise<void>;
  /** After its last file. */
  end: () => Promise<void>;
}

/**
 * Each file to the first of so many workers, numbered from 1, that is free; in the tier's order. Those that must be alone
 * come last, one by one. Nothing is begun once the signal is aborted.
 */
export async function giveOut(
  tier: Tier,
  files: readonly string[],
  count: number,
  worker: (number: number) => Worker,
  signal: AbortSignal,
): Promise<void> {
  const inOrder = startOrder(tier, files);
  const alone = named(inOrder, tier.alone);
  const together = inOrder.filter((file) => !alone.includes(file));
  const work = async (number: number, queue: string[]): Promise<void> => {
    const one = worker(number);
    try {
      while (queue.length > 0 && !signal.aborted) await one.run(queue.shift() ?? '');
    } finally {
      await one.end();
    }
  };
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  await Promise.all(numbers.map((number) => work(number, together)));
  await work(1, alone);
}
