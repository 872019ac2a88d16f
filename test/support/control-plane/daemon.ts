import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { poll } from '../lab/index.ts';
import { withParentDeath } from './parent-death.ts';

const LOG_TAIL_CHARACTERS = 4000;
const READY_DEADLINE_MS = 90_000;
const END_DEADLINE_MS = 15_000;

/** A server could not be started because another process listens where it was to. */
export class PortTaken extends Error {}

/** A server that runs in the background, writes to a log file, and ends with this process however that ends. */
export class Daemon {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #logFile: string;
  /** Of the log, when this run began: earlier runs wrote to the same file. */
  readonly #logStart: number;
  #spawnError: Error | null = null;

  constructor(argv: readonly [string, ...string[]], logFile: string) {
    this.name = basename(argv[0]);
    this.#logFile = logFile;
    const log = openSync(logFile, 'a', 0o600);
    this.#logStart = readFileSync(logFile).length;
    const [program, ...rest] = withParentDeath(argv);
    this.#child = spawn(program, rest, { stdio: ['ignore', log, log] });
    this.#child.on('error', (error) => (this.#spawnError = error));
    closeSync(log);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.name} was not started`);
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#spawnError === null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The end of what it wrote. */
  get logTail(): string {
    const tail = readFileSync(this.#logFile).subarray(this.#logStart).toString('utf8');
    return tail.slice(-LOG_TAIL_CHARACTERS);
  }

  /** Polls `isReady` until it holds. Rejects when the process ends before, as {@link PortTaken} when that is why. */
  async ready(isReady: () => Promise<boolean>): Promise<void> {
    const ask = async (): Promise<boolean> => {
      if (!this.running) {
        const text = `${this.name} ended before it was ready; its log (${this.#logFile}) ends with\n${this.logTail}`;
        if (this.logTail.includes('address already in use')) throw new PortTaken(text);
        throw new Error(text, { cause: this.#spawnError ?? undefined });
      }
      return isReady();
    };
    await poll(`${this.name} to be ready`, ask, {
      deadlineMs: READY_DEADLINE_MS,
      everyMs: 25,
      detail: () => `its log (${this.#logFile}) ends with\n${this.logTail}`,
    });
  }

  signal(name: NodeJS.Signals): void {
    if (this.running) this.#child.kill(name);
  }

  /** SIGSTOP, and resolves when every thread has stopped: the signal alone reaches them one after the other. */
  async freeze(): Promise<void> {
    this.signal('SIGSTOP');
    await poll(`${this.name} to stand still`, () => threadStates(this.pid).every((state) => state === 'T'));
  }

  thaw(): void {
    this.signal('SIGCONT');
  }

  /** Sends the signal and resolves when the process is gone; one that is stopped or hangs is killed at last. */
  async end(name: NodeJS.Signals): Promise<void> {
    this.signal(name);
    try {
      await poll(`the end of ${this.name}`, () => !this.running, {
        deadlineMs: END_DEADLINE_MS,
        everyMs: 5,
      });
    } catch (error) {
      this.signal('SIGKILL');
      if (name === 'SIGKILL') throw error;
      await this.end('SIGKILL');
    }
  }
}

/** A letter each, proc_pid_status(5). */
function threadStates(pid: number): string[] {
  const folder = `/proc/${String(pid)}/task`;
  return readdirSync(folder).map((thread) => {
    const status = readFileSync(`${folder}/${thread}/status`, 'utf8');
    return /^State:\s+(\S)/m.exec(status)?.[1] ?? '?';
  });
}
