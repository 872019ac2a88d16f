import { countsOf, isOfLeadership, type AuditedRequest } from './audit-log.ts';
import type { Memory } from './process-cost.ts';

/** A moment, and what the controller had cost by then. */
export interface Mark {
  atMs: number;
  cpuSeconds: number;
}

/** What the controller took for one thing, from its begin to the moment at which it was done. */
export interface Phase {
  seconds: number;
  cpuSeconds: number;
  /** By `verb resource`, as the API server logged them; without the renewals of its own Lease. */
  requests: ReadonlyMap<string, number>;
}

/** A single change of a fleet that is at rest, and in the same moment what the API server takes for one request. */
export interface Change {
  /** From sending the new VMNetwork until its status, seen by a watch, says that it is bound. */
  boundMs: number;
  /** One GET of a VMNetwork. */
  readMs: number;
  /** One write of a VMNetwork that changes nothing for its VM. */
  writeMs: number;
  /** What the controller asked for it; Events, which nobody waits for, are not among them. */
  requests: number;
}

/** The controller with nothing to do while all hosts renew their Leases. */
export interface Rest {
  seconds: number;
  cpuSeconds: number;
  heartbeats: number;
  /** Requests of the controller that keep its own Lease. */
  leadership: number;
  /** All others, by `verb resource`. */
  requests: ReadonlyMap<string, number>;
}

export interface FleetFigures {
  nodes: number;
  networks: number;
  /** From when it leads beside a fleet of which nothing is bound, until everything is. */
  bind: Phase;
  /** What it has counted itself until it had nothing to do, its own Lease and all. */
  bindByClient: number;
  /** The same as the API server logged it. */
  bindByServer: number;
  /** From the first answer of a host until all are Ready. */
  ready: Phase;
  /** When it had nothing to do after that. */
  memory: Memory;
  /** From when a new one leads beside a fleet that is as it has to be, until it has looked at everything. */
  resync: Phase;
}

/** What is measured of the whole fleet only. */
export interface CalmFigures {
  rest: Rest;
  changes: readonly Change[];
}

/** Of all but Events: those come later, at a rate of their own, and those that are too many never. */
export function workIn(requests: ReadonlyMap<string, number>): number {
  return [...requests]
    .filter(([kind]) => !kind.endsWith(' events'))
    .reduce((sum, [, count]) => sum + count, 0);
}

/** What the controller took from `since` to `until`, and what it asked for that. */
export function phaseOf(since: Mark, until: Mark, requests: readonly AuditedRequest[]): Phase {
  return {
    seconds: (until.atMs - since.atMs) / 1000,
    cpuSeconds: until.cpuSeconds - since.cpuSeconds,
    requests: countsOf(requests.filter((request) => !isOfLeadership(request))),
  };
}
