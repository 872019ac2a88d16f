import type { MachineUse } from './machine-use.ts';
import { ownMs, type Probes, type Stall } from './probed.ts';
import { heldBytes, type ProcessSeen } from './resources.ts';

/** Of the contract: no event loop stands still for longer. */
const LONGEST_STALL_MS = 200;
/** Others than the run have less of a quiet machine: its kernel works for the run as well, beside the processes that are counted. */
const QUIET_SHARE = 0.25;

export interface ChurnResult {
  readonly seed: number;
  /** That there were in all. */
  readonly vms: number;
  /** How often what happened. */
  readonly counts: Readonly<Record<string, number>>;
  /** At the far ends. */
  readonly frames: number;
  /** Of them, that should not have arrived. */
  readonly forbidden: readonly string[];
  /** Exceptions and rejections that nobody handled. */
  readonly failures: readonly string[];
  /** Longest first; not what is before a process was up. */
  readonly stalls: Readonly<Record<'agent' | 'controller', readonly Stall[]>>;
  /** What is not as it was at the start. */
  readonly left: readonly string[];
  /** What did not come to be in force, and what else should not be. */
  readonly breaches: readonly string[];
  readonly before: Readonly<Record<string, ProcessSeen>>;
  readonly after: Readonly<Record<string, ProcessSeen>>;
  readonly machine: MachineUse;
}

/** `upSince`: ms since 1970 by pid; a process that is not in it was ended while it started. */
export function stallsOf(probes: Probes, upSince: ReadonlyMap<number, number>): Stall[] {
  const stalls = probes.pids().flatMap((pid) => {
    const since = upSince.get(pid) ?? Infinity;
    return probes.stalls(pid).filter(({ atMs, lateMs }) => atMs - lateMs > since);
  });
  return stalls.sort((a, b) => ownMs(b) - ownMs(a));
}

/** How long a stall counts as: `own`, without what the thread waited for a processor, or `busy`, the processor time alone. */
export type StallMeasure = 'own' | 'busy';

/**
 * Every condition that the run did not meet, a line each. On a machine that others use as well the kernel makes a process wait for
 * locks that they hold: there only what it computed itself is held against it.
 */
export function breachesOf(
  { forbidden, failures, stalls, left, breaches, frames }: ChurnResult,
  measure: StallMeasure,
): string[] {
  const lengthMs = (stall: Stall): number =>
    Math.min(ownMs(stall), measure === 'own' ? Infinity : stall.busyMs);
  const stood = Object.entries(stalls).flatMap(([process, all]) =>
    all
      .filter((stall) => lengthMs(stall) > LONGEST_STALL_MS)
      .map((stall) => `the event loop of the ${process} stood still: ${shown(stall)}`),
  );
  return [
    ...(frames === 0 ? ['no frame arrived anywhere'] : []),
    ...forbidden.slice(0, 20).map((frame) => `forbidden frame ${frame}`),
    ...failures,
    ...stood,
    ...left,
    ...breaches,
  ];
}

/** For the terminal. */
export function renderResult(result: ChurnResult): string {
  const longest = (stalls: readonly Stall[]): string => (stalls[0] === undefined ? 'none' : shown(stalls[0]));
  const memory = (name: string): string =>
    [result.before[name], result.after[name]]
      .map((seen) => (seen === undefined ? '?' : `${(heldBytes(seen) / 2 ** 20).toFixed(1)} MiB`))
      .join(' -> ');
  const descriptors = (name: string): string =>
    [result.before[name], result.after[name]]
      .map((seen) => Object.values(seen?.descriptors ?? {}).reduce((sum, count) => sum + count, 0))
      .join(' -> ');
  const rows: [string, string | number][] = [
    ['seed', result.seed],
    ['VMs', result.vms],
    ...Object.entries(result.counts),
    ['frames at the far ends', result.frames],
    ['forbidden frames', result.forbidden.length],
    ['unhandled failures', result.failures.length],
    ['longest stall, agent', longest(result.stalls.agent)],
    ['longest stall, controller', longest(result.stalls.controller)],
    ['memory held, agent', memory('agent')],
    ['memory held, controller', memory('controller')],
    ['descriptors, agent', descriptors('agent')],
    ['descriptors, controller', descriptors('controller')],
    ['not as at the start', result.left.length],
    ['processors', processorsOf(result.machine)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${String(value)}\n`).join('');
}

/** Why a stall may be none of the agent's doing; null: the machine was ours. */
export function disturbanceOf({ machine: { busyShare, ownShare, stolenShare } }: ChurnResult): string | null {
  const others = busyShare - ownShare + stolenShare;
  if (others < QUIET_SHARE) return null;
  return `others had ${(100 * others).toFixed(0)} % of the processors: what is late on a quiet machine is to be found out there`;
}

function processorsOf({ busyShare, ownShare, stolenShare }: MachineUse): string {
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
  return `${percent(busyShare)} busy, ${percent(ownShare)} for this run, ${percent(stolenShare)} stolen`;
}

function shown(stall: Stall): string {
  const whole = (ms: number): string => `${String(Math.round(ms))} ms`;
  const { call } = stall;
  const parts = [
    `${whole(stall.lateMs)} late`,
    `${whole(stall.waitedMs)} without a processor`,
    `${whole(stall.busyMs)} busy`,
    ...(call === null ? [] : [`${call.name} took ${whole(call.ms)}`]),
  ];
  return `${whole(ownMs(stall))} (${parts.join(', ')})`;
}
