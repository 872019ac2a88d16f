import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentProcess } from '../stage/agent-process.ts';
import type { ContractHost } from './contract-host.ts';

const PRELOAD = fileURLToPath(new URL('die-at-action.ts', import.meta.url));

/** Agents that can be told to die at the n-th change that they make from now on; see die-at-action.ts. */
export class CrashPoints {
  readonly #host: ContractHost;
  readonly #file: string;

  constructor(host: ContractHost) {
    this.#host = host;
    this.#file = join(host.rental.lab.scratch, 'die-at');
    appendFileSync(`${this.#file}.died`, '');
  }

  start(): AgentProcess {
    const preload = `--disable-warning=ExperimentalWarning --import=${PRELOAD}`;
    return this.#host.start({ VMN_DIE_AT: this.#file, NODE_OPTIONS: preload });
  }

  /** The next agent, or the one that runs, makes so many changes and no more. */
  after(changes: number): void {
    writeFileSync(this.#file, String(changes));
  }

  never(): void {
    rmSync(this.#file, { force: true });
  }

  /** Before which changes agents died so far. */
  get before(): string[] {
    return readFileSync(`${this.#file}.died`, 'utf8').split('\n').filter(Boolean);
  }
}
