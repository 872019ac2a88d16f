import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { poll } from '../../test/support/lab/poll.ts';
import { ControllerProcess } from '../../test/support/scripted-agent/controller-process.ts';
import type { FleetCluster } from './cluster.ts';
import type { Mark } from './figures.ts';
import { cpuSecondsOf, memoryOf, type Memory } from './process-cost.ts';

/** Looks that have to find it idle, one after the other: between two batches of events it is idle for a moment too. */
const IDLE_LOOKS = 3;
/** Each look is a scrape that the controller pays for. */
const LOOK_EVERY_MS = 200;
const LEAD_LOOK_MS = 50;

/** The controller that is measured: the real program, as a process of its own. */
export class Subject {
  readonly #process: ControllerProcess;
  readonly #pid: number;

  private constructor(process: ControllerProcess, pid: number) {
    this.#process = process;
    this.#pid = pid;
  }

  /** Does not wait until it is ready. */
  static async start(cluster: FleetCluster, identity: string): Promise<Subject> {
    const kubeconfig = await cluster.controllerKubeconfig();
    const process = await ControllerProcess.start({ identity, kubeconfig });
    try {
      return new Subject(process, await childWith(`--identity=${identity}`));
    } catch (error) {
      if (process.running) await process.end('SIGKILL');
      throw error;
    }
  }

  get memory(): Memory {
    return memoryOf(this.#pid);
  }

  /** Requests that it has counted itself. */
  async requests(): Promise<number> {
    return (await this.#process.metric('rest_client_requests_total')) ?? Number.NaN;
  }

  /**
   * The moment at which it leads, and begins to read the fleet. Who makes the Lease waits for as long as another one could
   * still think that it leads; that is no work.
   */
  async leads(signal: AbortSignal): Promise<Mark> {
    while (!(await this.#process.leads())) {
      this.#hasNotEnded();
      await pause(LEAD_LOOK_MS, undefined, { signal });
    }
    return this.mark();
  }

  /**
   * Resolves when it has reconciled at least so many times since it began, and has nothing to do; with the moment at which
   * it was first found so. Rejects when it ends before, with the end of its log.
   */
  async idle(reconciliations: number, signal: AbortSignal): Promise<Mark> {
    for (let looks = 0, first = this.mark(); ; await pause(LOOK_EVERY_MS, undefined, { signal })) {
      this.#hasNotEnded();
      const idle = await this.#isIdle(reconciliations);
      if (idle && looks === 0) first = this.mark();
      looks = idle ? looks + 1 : 0;
      if (looks === IDLE_LOOKS) return first;
    }
  }

  mark(): Mark {
    return { atMs: performance.now(), cpuSeconds: cpuSecondsOf(this.#pid) };
  }

  /** Orderly, so that its Lease is free at once. */
  async stop(): Promise<void> {
    await this.#process.end('SIGTERM');
  }

  async kill(): Promise<void> {
    if (this.#process.running) await this.#process.end('SIGKILL');
  }

  /** Null while it runs; else the end of its log. */
  get endedBecause(): Error | null {
    if (this.#process.running) return null;
    return new Error(`the controller ended:\n${this.#process.log.slice(-2000)}`);
  }

  #hasNotEnded(): void {
    const reason = this.endedBecause;
    if (reason !== null) throw reason;
  }

  async #isIdle(reconciliations: number): Promise<boolean> {
    const of = 'controller="vmnetwork"';
    if ((await this.#process.metric('workqueue_depth', 'name="vmnetwork"')) !== 0) return false;
    if ((await this.#process.metric('controller_runtime_active_workers', of)) !== 0) return false;
    const done = await this.#process.metric('controller_runtime_reconcile_total', of);
    return done !== null && done >= reconciliations;
  }
}

/** The child of this process that was started with that argument. It shows none for a moment whenever it becomes another program. */
function childWith(argument: string): Promise<number> {
  const path = `/proc/self/task/${String(process.pid)}/children`;
  return poll(`a child of ours that was started with ${argument}`, () => {
    const found = readFileSync(path, 'utf8')
      .trim()
      .split(' ')
      .find((pid) => argumentsOf(pid).includes(argument));
    return found === undefined ? null : Number(found);
  });
}

/** None of one that has ended meanwhile. */
function argumentsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}
