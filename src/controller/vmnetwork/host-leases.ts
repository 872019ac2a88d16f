import type { Clock, Timer } from '../../lib/clock.ts';
import type { Lease } from '../kinds.ts';

/*
 * Theory of operation
 *
 * An agent renews its Lease every 10 s. Each renewal is one event here and costs a write into a map: networks hear only
 * when a host becomes fresh or stale. One timer stands for all hosts, at the time when the first of them would be late.
 *
 * Clocks of hosts differ, so what counts is when *we* saw the Lease change, by our monotonic clock; only what was there when we
 * came is judged by the time that stands in it.
 *
 * While the API server is away no renewal is heard, and all hosts are late at once although none is. So whoever is late is in
 * doubt first: the Lease is asked for, twice, with time for a renewal in between. Asking fails while the server is away,
 * and when it is back the renewals come before the second answer. Nothing is written about a host in doubt.
 */

export type LeaseHealth = 'fresh' | 'doubt' | 'stale';

export interface HostLeasesPorts {
  readonly clock: Clock;
  /** The Lease as the server has it; null if there is none. Throws while the server cannot be asked. */
  readonly ask: (nodeName: string) => Promise<Lease | null>;
  /** Became fresh or stale. */
  readonly onChange: (nodeName: string, health: 'fresh' | 'stale') => void;
}

const PREFIX = 'node.';
/** Of a Lease that does not say; the contract with the agent. */
const DEFAULT_DURATION_SECONDS = 40;
/** Share of the duration between the two questions: longer than the pause between two renewals, which is a quarter. */
const SECOND_LOOK = 3 / 8;
/** Share of the duration after which a question that failed is asked again. */
const RETRY = 1 / 4;

interface Host {
  readonly renewTime: string;
  readonly durationMs: number;
  /** When it was last heard, monotonic. */
  readonly seenMs: number;
  readonly health: LeaseHealth;
  /** When to look at it next, monotonic; Infinity for what is stale. */
  readonly dueMs: number;
  /** Answers in a row that showed no renewal. */
  readonly looks: number;
}

export class HostLeases {
  readonly #ports: HostLeasesPorts;
  readonly #hosts = new Map<string, Host>();
  #timer: Timer | null = null;
  #timerDueMs = Infinity;
  #closed = false;

  constructor(ports: HostLeasesPorts) {
    this.#ports = ports;
  }

  /** `stale` for a host that has no Lease. */
  healthOf(nodeName: string): LeaseHealth {
    return this.#hosts.get(nodeName)?.health ?? 'stale';
  }

  /** A Lease as the cache shows it. */
  observe(lease: Lease): void {
    const nodeName = hostOf(lease);
    if (nodeName === null) return;
    const before = this.#hosts.get(nodeName);
    const renewTime = lease.spec?.renewTime ?? '';
    if (before?.renewTime === renewTime) return;
    const durationMs = (lease.spec?.leaseDurationSeconds ?? DEFAULT_DURATION_SECONDS) * 1000;
    const nowMs = this.#ports.clock.monotonicMs();
    const ageMs = before === undefined ? this.#ageMs(renewTime) : 0;
    if (ageMs > durationMs) {
      // Late when we came. It may be that the server was away until now; the first answer is what we just read.
      const dueMs = nowMs + durationMs * SECOND_LOOK;
      this.#set(nodeName, { renewTime, durationMs, seenMs: nowMs, health: 'doubt', dueMs, looks: 1 });
      return;
    }
    const seenMs = nowMs - ageMs;
    this.#set(nodeName, {
      renewTime,
      durationMs,
      seenMs,
      health: 'fresh',
      dueMs: seenMs + durationMs,
      looks: 0,
    });
    if (before?.health !== 'fresh') this.#ports.onChange(nodeName, 'fresh');
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
  }

  #ageMs(renewTime: string): number {
    const renewedMs = Date.parse(renewTime);
    // A Lease that was never renewed is as old as can be; one from the future is of now.
    return Number.isNaN(renewedMs) ? Infinity : Math.max(0, this.#ports.clock.nowMs() - renewedMs);
  }

  #set(nodeName: string, host: Host): void {
    this.#hosts.set(nodeName, host);
    this.#arm(host.dueMs);
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
      this.#hosts.set(nodeName, { ...host, health: 'doubt', dueMs: Infinity });
      void this.#check(nodeName, host);
    }
    this.#arm(nextMs);
  }

  async #check(nodeName: string, host: Host): Promise<void> {
    const { renewTime, durationMs } = host;
    const found = await this.#ports.ask(nodeName).catch(() => undefined);
    const now = this.#hosts.get(nodeName);
    if (this.#closed || now?.renewTime !== renewTime) return;
    const nowMs = this.#ports.clock.monotonicMs();
    if (found === undefined) {
      this.#set(nodeName, { ...now, looks: 0, dueMs: nowMs + durationMs * RETRY });
    } else if (found !== null && (found.spec?.renewTime ?? '') !== renewTime) {
      this.observe(found);
    } else if (host.looks === 0) {
      this.#set(nodeName, { ...now, looks: 1, dueMs: nowMs + durationMs * SECOND_LOOK });
    } else {
      this.#set(nodeName, { ...now, health: 'stale', dueMs: Infinity });
      this.#ports.onChange(nodeName, 'stale');
    }
  }
}

/** The node that a Lease speaks of; null for any other Lease, for example the leader's. */
export function hostOf({ metadata }: Lease): string | null {
  return metadata.name.startsWith(PREFIX) ? metadata.name.slice(PREFIX.length) : null;
}

export function leaseName(nodeName: string): string {
  return `${PREFIX}${nodeName}`;
}
