import type { Clock } from '../lib/clock.ts';
import type { Output } from './terminal/output.ts';

/** What a command may reach outside itself; `main.ts` passes the real things, tests pass theirs. */
export interface CommandContext {
  readonly output: Output;
  readonly environment: NodeJS.ProcessEnv;
  readonly clock: Clock;
  /** Aborted on SIGINT and SIGTERM; commands that run on end with it. `run` handles signals itself. */
  readonly signal: AbortSignal;
  /** From now on a reader of our output that leaves does not end the program: a VM depends on it. */
  outliveReaders(): void;
}

export type OutputFormat = 'table' | 'json';
