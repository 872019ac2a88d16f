import { NODE_LEASE } from '../../api/v1alpha1/node-lease.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import type { Lease } from '../kinds.ts';
import { LeaseQuestions } from './lease-questions.ts';

/*
 * Theory of operation
 *
 * An agent renews its Lease every 10 s. Each renewal is one event here and costs a write into a map: networks hear only
 * when a host becomes fresh or stale. One timer stands for all hosts, at the time when the first of them would be late.
 *
 * Clocks of hosts differ, so what counts is when *we* saw the Lease renewed, by our monotonic clock; only what was there when we
 * came is judged by the time that stands in it. A renewal is a time that is newer than the last one seen. One that goes back is
 * none (a restored etcd shows what was long ago, a host's clock may be set back), but what is newer than that is one again.
 * How long a Lease is good for is the agent's to say, within bounds: no host is believed for ever, or never.
 *
 * While the API server is away no renewal is heard, and all hosts are late at once although none is. So whoever is late is in
 * doubt first: the Leases are asked for, twice, with time for a renewal in between. Asking fails while the server is away,
 * and when it is back the renewals come before the second answer. Nothing is written about a host in doubt. One list
 * answers for all that are in doubt, and for whoever else was renewed unheard.
 *
 * Each change between fresh and stale is a pass over all networks of the host, so one that flaps must not do so for ever.
 * It becomes stale at once. If it had been fresh for less than CALM_MS then, it becomes fresh again only after it was heard without
 * a gap, at first by two renewals, then for twice as long each time, up to five minutes. Ten minutes without a word are a clean slate too.
 */

export type LeaseHealth = 'fresh' | 'doubt' | 'stale';

export interface HostLeasesPorts {
  readonly clock: Clock;
  /** All Leases of the namespace, as the server has them now. Throws while it cannot be asked. */
  readonly list: () => Promise<readonly Lease[]>;
  /** Became fresh or stale. */
  readonly onChange: (nodeName: string, health: 'fresh' | 'stale') => void;
}

/** For how long a Lease is good, seconds: what an agent writes, what holds if it writes none, and what else is believed. */
export const LEASE_SECONDS = { agent: NODE_LEASE.seconds, least: 20, most: 120 } as const;
/** Share of the duration between the two questions: longer than the pause between two renewals, which is a quarter. */
const SECOND_LOOK = 3 / 8;
/** Whoever was fresh, or not heard, for so long does not flap. */
const CALM_MS = 600_000;
/** Share of the duration that a host which flapped once has to be heard: less than the pause between two renewals. */
const FIRST_PROOF = 1 / 8;
const LONGEST_PROOF_MS = 300_000;

interface Host {
  /** The time in the Lease, as last seen. */
  renewedMs: number;
  durationMs: number;
  /** When it was last renewed, monotonic. */
  heardMs: number;
  isInDoubt: boolean;
  /** What it is, or was before the doubt; null if that was never known. */
  verdict: 'fresh' | 'stale' | null;
  /** Since when that is so, monotonic. */
  sinceMs: number;
  /** What networks were told of it, or saw. */
  known: LeaseHealth;
  /** When to look at it next, monotonic; Infinity while it is stale or asked for. */
  dueMs: number;
  /** Answers in a row that showed no renewal. */
  looks: number;
  /** How often in a row it became stale soon after it had become fresh. */
  flaps: number;
  /** Since when a stale one is heard without a gap, monotonic; null if it is not. */
  provesSinceMs: number | null;
}

export class HostLeases {
  readonly #ports: HostLeasesPorts;
  readonly #hosts = new Map<string, Host>();
  readonly #questions: LeaseQuestions;
  #timer: Timer | null = null;
  #timerDueMs = Infinity;
  #closed = false;

  constructor(ports: HostLeasesPorts) {
    this.#ports = ports;
    this.#questions = new LeaseQuestions(ports.clock, (nodeNames) => this.#ask(nodeNames));
  }

  /** `stale` for a host that has no Lease. Whoever is told of a doubt here is told by `onChange` what came of it. */
  healthOf(nodeName: string): LeaseHealth {
    const host = this.#hosts.get(nodeName);
    if (host === undefined) return 'stale';
    host.known = host.isInDoubt || host.verdict === null ? 'doubt' : host.verdict;
    return host.known;
  }

  /** A Lease as the cache shows it. */
  observe(lease: Lease): void {
    const nodeName = hostOf(lease);
    if (nodeName === null) return;
    const host = this.#hosts.get(nodeName);
    const renewedMs = renewedAt(lease);
    if (host === undefined) return this.#meet(nodeName, lease, renewedMs);
    if (renewedMs > host.renewedMs) this.#renewed(nodeName, host, lease, renewedMs);
    else host.renewedMs = renewedMs;
  }

  /** The Lease was deleted. */
  removed(lease: Lease): void {
    const nodeName = hostOf(lease);
    if (nodeName === null || !this.#hosts.delete(nodeName)) return;
    this.#ports.onChange(nodeName, 'stale');
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#questions.close();
  }

  #meet(nodeName: string, lease: Lease, renewedMs: number): void {
    const { clock } = this.#ports;
    const nowMs = clock.monotonicMs();
    const durationMs = durationOf(lease);
    // One that was never renewed is as old as can be; one from the future is of now.
    const ageMs = Math.max(0, clock.nowMs() - renewedMs);
    const heardMs = nowMs - Math.min(ageMs, durationMs);
    const host: Host = {
      ...{ renewedMs, durationMs, heardMs, isInDoubt: true, verdict: null, sinceMs: nowMs, known: 'stale' },
      // Late when we came? It may be that the server was away until now; the first answer is what we just read.
      ...{ dueMs: Infinity, looks: 1, flaps: 0, provesSinceMs: null },
    };
    this.#hosts.set(nodeName, host);
    if (ageMs <= durationMs) this.#freshen(nodeName, host);
    else this.#lookAt(host, nowMs + durationMs * SECOND_LOOK);
  }

  #renewed(nodeName: string, host: Host, lease: Lease, renewedMs: number): void {
    const nowMs = this.#ports.clock.monotonicMs();
    const unheardMs = nowMs - host.heardMs;
    host.renewedMs = renewedMs;
    host.durationMs = durationOf(lease);
    host.heardMs = nowMs;
    if (host.verdict === 'stale') {
      if (unheardMs >= CALM_MS) host.flaps = 0;
      if (unheardMs > host.durationMs) host.provesSinceMs = null;
      host.provesSinceMs ??= nowMs;
      if (nowMs - host.provesSinceMs < proofMs(host)) return;
    }
    this.#freshen(nodeName, host);
  }

  #freshen(nodeName: string, host: Host): void {
    if (host.verdict !== 'fresh') host.sinceMs = this.#ports.clock.monotonicMs();
    const isNews = host.known !== 'fresh';
    host.verdict = 'fresh';
    host.isInDoubt = false;
    host.known = 'fresh';
    host.looks = 0;
    host.provesSinceMs = null;
    this.#lookAt(host, host.heardMs + host.durationMs);
    if (isNews) this.#ports.onChange(nodeName, 'fresh');
  }

  #becomeStale(nodeName: string, host: Host): void {
    const nowMs = this.#ports.clock.monotonicMs();
    host.flaps = host.verdict === 'fresh' && nowMs - host.sinceMs < CALM_MS ? host.flaps + 1 : 0;
    host.verdict = 'stale';
    host.isInDoubt = false;
    host.known = 'stale';
    host.sinceMs = nowMs;
    this.#ports.onChange(nodeName, 'stale');
  }

  #lookAt(host: Host, dueMs: number): void {
    host.dueMs = dueMs;
    this.#arm(dueMs);
  }

  /** The timer only ever moves forward to what is due sooner; a renewal does not touch it. */
  #arm(dueMs: number): void {
    if (this.#closed || dueMs >= this.#timerDueMs) return;
    this.#timer?.cancel();
    this.#timerDueMs = dueMs;
    this.#timer = this.#ports.clock.setTimer(dueMs - this.#ports.clock.monotonicMs(), () => this.#look());
  }

  #look(): void {
    this.#timerDueMs = Infinity;
    const nowMs = this.#ports.clock.monotonicMs();
    let nextMs = Infinity;
    for (const [nodeName, host] of this.#hosts) {
      if (host.dueMs > nowMs) {
        nextMs = Math.min(nextMs, host.dueMs);
        continue;
      }
      host.isInDoubt = true;
      host.dueMs = Infinity;
      this.#questions.add(nodeName);
    }
    this.#arm(nextMs);
  }

  /** False: the server could not be asked. */
  async #ask(nodeNames: readonly string[]): Promise<boolean> {
    const asked = nodeNames.flatMap((nodeName) => {
      const host = this.#hosts.get(nodeName);
      // One that was heard meanwhile is in doubt no more.
      return host?.isInDoubt === true ? [{ nodeName, host, heardMs: host.heardMs }] : [];
    });
    if (asked.length === 0) return true;
    const found = await this.#ports.list().catch(() => undefined);
    if (this.#closed) return true;
    for (const lease of found ?? []) this.#answered(lease);
    for (const { nodeName, host, heardMs } of asked) {
      if (found === undefined) host.looks = 0;
      else if (this.#hosts.get(nodeName) === host && host.heardMs === heardMs) this.#unheard(nodeName, host);
    }
    return found !== undefined;
  }

  /** A list may be older than what the cache has shown since it was asked for: only what is newer counts. */
  #answered(lease: Lease): void {
    const nodeName = hostOf(lease);
    const host = nodeName === null ? undefined : this.#hosts.get(nodeName);
    const renewedMs = renewedAt(lease);
    if (nodeName !== null && host !== undefined && renewedMs > host.renewedMs)
      this.#renewed(nodeName, host, lease, renewedMs);
  }

  #unheard(nodeName: string, host: Host): void {
    host.looks += 1;
    if (host.looks > 1) this.#becomeStale(nodeName, host);
    else this.#lookAt(host, this.#ports.clock.monotonicMs() + host.durationMs * SECOND_LOOK);
  }
}

/** The node that a Lease speaks of; null for any other Lease, for example the leader's. */
export function hostOf({ metadata }: Lease): string | null {
  const { prefix } = NODE_LEASE;
  return metadata.name.startsWith(prefix) ? metadata.name.slice(prefix.length) : null;
}

/** By the clock of the host, ms since 1970; -Infinity if it never was. */
function renewedAt({ spec }: Lease): number {
  const renewedMs = Date.parse(spec?.renewTime ?? '');
  return Number.isNaN(renewedMs) ? -Infinity : renewedMs;
}

function durationOf({ spec }: Lease): number {
  const { agent, least, most } = LEASE_SECONDS;
  return Math.min(Math.max(spec?.leaseDurationSeconds ?? agent, least), most) * 1000;
}

/** How long a stale host has to be heard without a gap until it is fresh. */
function proofMs({ flaps, durationMs }: Host): number {
  return flaps === 0 ? 0 : Math.min(durationMs * FIRST_PROOF * 2 ** (flaps - 1), LONGEST_PROOF_MS);
}
