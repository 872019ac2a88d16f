/**
 * A lane, as the runner sees it: processes, mounts and a network of its own, in which test files run one after another. Two
 * of them do not see each other's VMs, so tests that look at all that is on a machine can run in both.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { LaneSetup, Order, Outcome, Report } from './lane-messages.ts';
import { COLOUR_VARIABLE } from './reporter.ts';

/** Past it a lane that was told to end is killed, with everything in it: more than Jest and what cleans up after it take. */
const END_GRACE_MS = 20_000;

const SCRIPT = join(import.meta.dirname, 'lane.sh');
const MAIN = join(import.meta.dirname, 'lane-main.ts');
/** With `--kill-child`, who kills the first of these words kills all that is in the lane. */
const UNSHARE = ['--pid', '--fork', '--kill-child', '--mount', '--net', '--mount-proc', '--', 'bash', SCRIPT];

/** Why this machine has no lanes for us; null when it has. */
export function laneRefusal(): string | null {
  const { status, error, stderr } = spawnSync('unshare', [...UNSHARE, '1', 'true'], { encoding: 'utf8' });
  if (error !== undefined) return error.message;
  return status === 0 ? null : (stderr.trim().split('\n').at(-1) ?? `exit code ${String(status)}`);
}

export class Lane {
  readonly #child: ChildProcess;
  readonly #ended: Promise<string>;
  /** Of the file that runs now. */
  #output = '';
  #done: (outcome: Outcome) => void = () => undefined;

  /** `number`: from 1, no two at a time are alike. `env`: added to ours. */
  constructor(number: number, setup: LaneSetup, env: Readonly<Record<string, string>>) {
    const main = [process.execPath, '--disable-warning=ExperimentalWarning', MAIN, JSON.stringify(setup)];
    const colour = process.stdout.isTTY ? { [COLOUR_VARIABLE]: '1' } : {};
    this.#child = spawn('unshare', [...UNSHARE, String(number), ...main], {
      ...{ cwd: setup.projectRoot, env: { ...process.env, ...env, ...colour } },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const gone = Promise.race([once(this.#child, 'exit'), once(this.#child, 'error')]);
    this.#ended = gone.then(([cause, signal]) => String(signal ?? cause), String);
    const add = (text: string): void => void (this.#output += text);
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', add);
    this.#child.on('message', (report: Report) => {
      if ('output' in report) add(report.output);
      else this.#done(report.done);
    });
  }

  /** `outcome` is a text where the lane ended before the file did: how it ended. */
  async run(file: string): Promise<{ outcome: Outcome | string; output: string }> {
    const done = new Promise<Outcome>((resolve) => (this.#done = resolve));
    this.#order({ run: file });
    const outcome = await Promise.race([done, this.#ended]);
    const output = this.#output;
    this.#output = '';
    return { outcome, output };
  }

  /** Ends what runs in it. {@link run} then resolves as if the file had come to its end. */
  interrupt(reason: string): void {
    this.#order({ end: reason });
  }

  /** Resolves when nothing of it is left. */
  async end(): Promise<void> {
    this.interrupt('the end');
    const late = new AbortController();
    const killed = delay(END_GRACE_MS, null, { signal: late.signal }).then(
      () => this.#child.kill('SIGKILL'),
      () => undefined,
    );
    await this.#ended;
    late.abort();
    await killed;
  }

  #order(order: Order): void {
    if (this.#child.connected) this.#child.send(order, () => undefined);
  }
}
