import type { Group, Row } from './row.ts';

/** Says on stderr what is being done: measuring takes a while, and the table comes at the end. */
export type Progress = (text: string) => void;

/** What a run may be asked for besides its defaults. */
export interface Scope {
  /** VMNetworkNodes of the fleet benchmark. */
  nodes?: number;
  /** Taps that the agent benchmark attaches, and VMs beside which it is at rest. */
  taps?: number;
  vms?: number;
}

/** One `make bench-…`: brings what it needs, measures, cleans up. Rejects when something could not be measured. */
export interface Benchmark {
  name: string;
  /** The groups whose rows a run replaces. */
  groups: readonly Group[];
  /** What a machine lacks for it, in words for a person; null when nothing. */
  missing: () => string | null;
  run: (commit: string, progress: Progress, scope: Scope) => Promise<Row[]>;
}
