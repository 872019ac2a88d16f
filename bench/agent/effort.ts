import type { Scope } from '../benchmark.ts';

/** How much of everything is measured. */
export interface Effort {
  /** Attached at once; half of them before, in a world of their own. */
  readonly taps: number;
  /** Beside which an agent is at rest. */
  readonly vms: number;
  /** How long it is left alone before it is looked at, ms: it gives back what a start or a burst has left 10 s later. */
  readonly settleMs: number;
  /** How long its CPU is looked at then, ms. */
  readonly restMs: number;
  /** Agents, and Node by itself, that are started for their memory. */
  readonly starts: number;
  /** Networks applied, and endpoints changed, one after the other. */
  readonly changes: number;
  /** Bare taps that the kernel is given programs for. */
  readonly loads: number;
}

const FULL: Effort = {
  taps: 1000,
  vms: 100,
  settleMs: 20_000,
  restMs: 35_000,
  starts: 5,
  changes: 51,
  loads: 21,
};
/** For whoever tries it out; nothing of it is written down. */
const SMALL: Effort = { taps: 20, vms: 10, settleMs: 13_000, restMs: 3000, starts: 2, changes: 5, loads: 3 };

export function effortFor({ taps, vms }: Scope): Effort {
  if (taps === undefined && vms === undefined) return FULL;
  return { ...SMALL, ...(taps === undefined ? {} : { taps }), ...(vms === undefined ? {} : { vms }) };
}
