/** Runs the files of one tier: in lanes where it wants them and the machine has them, else one after another in one Jest. */
import { runJest, withDeadline, type JestOptions } from './jest-run.ts';
import { laneRefusal } from './lane.ts';
import { laneCount, runInLanes, type LanesResult } from './lanes.ts';
import { named } from './tier.ts';

const say = (text: string): void => void process.stdout.write(`  ${text}\n`);

export async function runFiles(options: JestOptions): Promise<LanesResult> {
  const { tier } = options;
  const cluster = tier.controlPlane === true ? await preparedCluster(options.signal) : null;
  const { signal, clear } = withDeadline(tier, options.signal);
  const bounded = { ...options, env: { ...options.env, ...cluster?.env }, signal };
  try {
    const count = laneCount(tier);
    const refusal = count === 0 ? null : cluster?.isElsewhere === true ? cluster.where : laneRefusal();
    if (count > 0 && refusal === null) {
      for (const [name, download] of Object.entries(tier.downloads ?? {}))
        if (named(options.files, [name]).length > 0) await download();
      return await runInLanes(bounded, count);
    }
    if (refusal !== null) say(`one file after another, and not by themselves: ${refusal}`);
    return { tests: await (cluster === null ? runJest(bounded) : cluster.during(bounded)), left: [] };
  } finally {
    clear();
  }
}

/** Loaded for the tiers that need it: the others run without the harness. */
async function preparedCluster(signal: AbortSignal) {
  const { isOwnCluster, prepareControlPlane, PROBLEM_VARIABLE, shareControlPlane } =
    await import('./shared-control-plane.ts');
  const problem = await prepareControlPlane(signal);
  if (problem !== null) say(`no control plane: ${problem}`);
  return {
    env: problem === null ? {} : { [PROBLEM_VARIABLE]: problem },
    isElsewhere: !isOwnCluster(),
    where: 'lanes do not reach the cluster of TEST_CLUSTER',
    /** One for all files. */
    async during(options: JestOptions) {
      if (problem !== null) return runJest(options);
      const shared = await shareControlPlane(say);
      try {
        const tests = await runJest({ ...options, env: { ...options.env, ...shared.env } });
        const failed = tests.some(({ status }) => status === 'failed');
        if (failed && shared.folder !== null) say(`logs of the servers: ${shared.folder}`);
        return tests;
      } finally {
        await shared.stop();
      }
    },
  };
}
