import type { Clock, Timer } from '../../lib/clock.ts';
import { isVmnError, VmnError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { TapHolder } from '../host/kernel.ts';
import { endVm } from './end-vm.ts';
import type { ControlMachine } from './machine.ts';

/**
 * How far the ending of a process is. `alive`: it has not begun, or is to begin again; an error: it did not work, and is tried
 * again after a while.
 */
export type EndProgress = 'alive' | 'under-way' | 'ended' | VmnError;

/** What passes, which do not wait for anything, need of it. */
export interface VmEndings {
  progressOf(process: TapHolder): EndProgress;
  /** Returns at once, never throws. Does nothing while it is under way. */
  begin(process: TapHolder): void;
}

export interface EndingsOptions {
  readonly machine: ControlMachine;
  readonly clock: Pick<Clock, 'sleep' | 'setTimer'>;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Some progress changed. */
  readonly onChange: () => void;
}

const AGAIN_MS = 10_000;

interface Ending {
  /** Null: under way. */
  error: VmnError | null;
  timer: Timer | null;
}

/**
 * Ends VMs beside the passes. Nothing here outlives the agent: that a VM is to be ended, and which process that is, stands in
 * the record, and is taken out of it by a pass that sees the process ended. So an agent that dies does it again, never forgets
 * it, and never ends what was started in its place.
 */
export class Endings implements VmEndings {
  readonly #options: EndingsOptions;
  readonly #endings = new Map<string, Ending>();
  readonly #running = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(options: EndingsOptions) {
    this.#options = options;
  }

  progressOf(process: TapHolder): EndProgress {
    const ending = this.#endings.get(keyOf(process));
    if (ending !== undefined && ending.error === null) return 'under-way';
    if (!this.#options.machine.isAlive(process)) return 'ended';
    return ending?.error ?? 'alive';
  }

  begin(process: TapHolder): void {
    const key = keyOf(process);
    if (this.#stop.signal.aborted || this.#endings.has(key)) return;
    const ending: Ending = { error: null, timer: null };
    this.#endings.set(key, ending);
    const run = this.#run(process, key, ending).finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  /** Leaves off: what is under way is done again by the next agent. Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('the agent ends'));
    await Promise.all(this.#running);
    for (const { timer } of this.#endings.values()) timer?.cancel();
    this.#endings.clear();
  }

  async #run(process: TapHolder, key: string, ending: Ending): Promise<void> {
    const { machine, clock, log, onChange } = this.#options;
    const { signal } = this.#stop;
    try {
      const how = await endVm(process, machine, clock, signal);
      this.#endings.delete(key);
      log.info({ pid: process.pid, how }, 'VM ended for its violations');
    } catch (cause) {
      if (signal.aborted) return;
      ending.error = isVmnError(cause) ? cause : ofUnknown(cause, process);
      log.warn({ err: ending.error, pid: process.pid }, 'VM not ended');
      ending.timer = clock.setTimer(AGAIN_MS, () => {
        this.#endings.delete(key);
        onChange();
      });
    }
    onChange();
  }
}

function ofUnknown(cause: unknown, { pid }: TapHolder): VmnError {
  return new VmnError('VMN_TAP_IN_USE', { attempted: 'end the VM', on: `pid ${pid}`, cause });
}

function keyOf({ pid, startTicks }: TapHolder): string {
  return `${pid} ${startTicks}`;
}
