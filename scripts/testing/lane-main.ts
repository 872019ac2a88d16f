/**
 * Runs inside of a lane: a Jest for each file that the runner names, and a look at what that has left. Ends when the runner
 * says so, or has ended itself; with it goes all that is in the lane.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { runJest } from './jest-run.ts';
import type { LaneSetup, Order, Outcome, Report } from './lane-messages.ts';
import { leftovers, newLeftovers } from './leftovers.ts';
import type { SharedControlPlane } from './shared-control-plane.ts';
import { tierNamed } from './tier.ts';

/** A killed test's undertaker (test/support/lab) still has work, and the kernel frees a little later. */
const PATIENCE_MS = 5_000;
const POLL_MS = 50;

const { projectRoot, tier: name, title } = JSON.parse(process.argv[2] ?? '') as LaneSetup;
const tier = tierNamed(name)!;
const end = new AbortController();

const say = (report: Report): Promise<void> =>
  new Promise((resolve) => (process.connected ? process.send?.(report, () => resolve()) : resolve()));
const print = (output: string): void => void say({ output });

/** Started with the lane: it can be reached from its network only. */
const starting = tier.controlPlane === true ? startControlPlane() : null;
let running: Promise<void> | null = null;

process.on('message', (order: Order) => {
  if ('run' in order) running = run(order.run);
  else void leave(order.end);
});
process.on('disconnect', () => void leave('the runner has ended'));
// Also sent to us by the terminal. The runner knows as well, and says when to end.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);

async function startControlPlane(): Promise<SharedControlPlane> {
  const { shareControlPlane } = await import('./shared-control-plane.ts');
  return shareControlPlane((text) => print(`  ${text}\n`));
}

async function run(file: string): Promise<void> {
  const shared = await starting;
  const before = leftovers('every process');
  const tests = await runJest({
    ...{ projectRoot, tier, files: [file], signal: end.signal, print },
    ...(shared === null ? {} : { env: shared.env }),
    ...(title === undefined ? {} : { title }),
  });
  if (shared?.folder && tests.some(({ status }) => status === 'failed'))
    print(`  logs of the servers: ${shared.folder}\n`);
  const done: Outcome = { tests, left: await leftBehind(before) };
  await say({ done });
}

async function leftBehind(before: ReadonlySet<string>): Promise<string[]> {
  for (const deadline = Date.now() + PATIENCE_MS; ;) {
    const left = newLeftovers(before, leftovers('every process'));
    if (left.length === 0 || Date.now() > deadline) return left;
    await delay(POLL_MS);
  }
}

async function leave(reason: string): Promise<void> {
  end.abort(reason);
  await running;
  await (await starting)?.stop();
  process.exit(0);
}
