import type { Clock } from '../../lib/clock.ts';
import { microTime } from '../../lib/micro-time.ts';
import { ApiError, isAlreadyExists, isConflict, isNotFound } from '../api-error.ts';
import type { KubeClient } from '../client.ts';
import { type Lease, LEASE, type LeaseSpec } from './lease.ts';
import { limited } from '../../lib/time-limit.ts';

/*
 * Theory of operation.
 *
 * Goal: at no instant do two candidates lead, for any delays, losses, reordering, pauses of processes and steps of wall
 * clocks. Relied on: the API server writes a Lease only if its resourceVersion and uid are those that were sent, and
 * monotonic clocks run equally fast to within (leaseDuration - renewDeadline) / leaseDuration, a third by default.
 * CLOCK_MONOTONIC goes on while a process is stopped. It does not while its machine is suspended: then only the
 * resourceVersions of what a late leader writes are left, as for a packet that was on its way when leadership ended.
 *
 * A leader leads for renewDeadline from when it SENT the last request that renewed its Lease. It computes that whenever
 * it is asked: no timer has to run for it to stop.
 *
 * Others take a Lease only if they themselves have seen it unchanged for leaseDuration since they RECEIVED it. A change
 * is any other resourceVersion or uid; the times within it are for people. They take it by a write that depends on what
 * they have seen. The leader's request was written after it was sent and seen after it was written, so
 *
 *     leader:  sent |------- renewDeadline ------->| no longer leads
 *     API:           written
 *     other:               seen |------------ leaseDuration ------------>| may send its own
 *
 * An empty holder is the word of the last one that it no longer leads: such a Lease is taken at once.
 *
 * A Lease that is missing may have been deleted under a leader that does not know yet. Whoever creates it holds it, and
 * thereby keeps the others waiting, but leads only leaseDuration later, when no earlier leader can; before that it does
 * not release it by an empty holder either. So a first start takes leaseDuration, unless a Lease without a holder is
 * there (a manifest with a name and no spec is enough).
 */

export interface CandidateOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Unique among all processes there ever are, not only among those that run. */
  readonly identity: string;
  readonly leaseDurationMs: number;
  readonly renewDeadlineMs: number;
  /** A request that takes longer is given up, ms. */
  readonly requestTimeoutMs: number;
  readonly clock: Clock;
}

/** What one candidate knows of the Lease, and the single steps it can take. Steps are never taken two at a time. */
export class Candidate {
  readonly #options: CandidateOptions;
  /** The Lease as last received, by reading or as the answer to a write. */
  #seen: Lease | null = null;
  /** When `#seen` was received for the first time (monotonic ms). */
  #seenMs = -Infinity;
  /** `#seen` is the answer to a write of ours, or names us: writing it again needs no reading before. */
  #held = false;
  /** A write of ours got no answer: it may have been, or may yet be, carried out. */
  #unanswered = false;
  /** Not before this may a Lease of this uid be led from, or released by an empty holder. */
  #leadFromMs = -Infinity;
  /** Until then a Lease we hold lets us lead. */
  #validUntilMs = -Infinity;
  /** A term is on: from `beginTerm` to `endTerm`. */
  #inTerm = false;

  constructor(options: CandidateOptions) {
    this.#options = options;
  }

  isLeading(): boolean {
    return this.#inTerm && this.leftMs() > 0;
  }

  /** For how long the last renewal still lets us lead, ms; 0 or less if it does not. */
  leftMs(): number {
    return this.#validUntilMs - this.#options.clock.monotonicMs();
  }

  /** How long the Lease, as it was last seen, has to be left alone or must not be led from, ms from now. */
  waitMs(): number {
    if (this.#seen === null) return 0;
    const freeMs = holderOf(this.#seen) === '' ? -Infinity : this.#seenMs + this.#durationMs(this.#seen);
    return Math.max(0, (this.#held ? this.#leadFromMs : freeMs) - this.#options.clock.monotonicMs());
  }

  /** Who holds the Lease, as far as is known; '' if nobody. */
  get holder(): string {
    return this.#seen === null ? '' : holderOf(this.#seen);
  }

  /** Leads from now on, if the Lease lets it. */
  beginTerm(): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#held && nowMs >= this.#leadFromMs && nowMs < this.#validUntilMs) this.#inTerm = true;
    return this.isLeading();
  }

  endTerm(): void {
    this.#inTerm = false;
  }

  /** Tries once to get or keep the Lease. Throws what the API server or the network threw. */
  async attempt(signal: AbortSignal): Promise<void> {
    if (this.#held && this.#seen !== null) {
      if (await this.#hold(this.#seen, signal)) return;
    }
    const lease = await this.#read(signal);
    if (lease === null) return this.#create(signal);
    this.#observe(lease);
    if (!this.#held && this.waitMs() > 0) return;
    await this.#hold(lease, signal);
  }

  /** Gives the Lease back if it is ours to give; true if so. To be called once nothing is done in its name. */
  async release(signal: AbortSignal): Promise<boolean> {
    this.endTerm();
    this.#validUntilMs = -Infinity;
    if (this.#held && this.#seen !== null && this.#mayGiveBack()) {
      if (await this.#giveBack(this.#seen, signal)) return true;
    } else if (!this.#unanswered) return false;
    const lease = await this.#read(signal);
    if (lease === null) return false;
    this.#observe(lease);
    return this.#held && this.#mayGiveBack() && (await this.#giveBack(lease, signal));
  }

  #mayGiveBack(): boolean {
    return this.#options.clock.monotonicMs() >= this.#leadFromMs;
  }

  /** Writes the Lease with us as its holder. False: it has changed meanwhile. */
  async #hold(before: Lease, signal: AbortSignal): Promise<boolean> {
    const { clock, identity, renewDeadlineMs } = this.#options;
    const now = microTime(clock.now());
    const same = holderOf(before) === identity;
    const transitions = before.spec?.leaseTransitions ?? 0;
    const spec = {
      ...before.spec,
      ...this.#ownSpec(now),
      acquireTime: same ? (before.spec?.acquireTime ?? now) : now,
      leaseTransitions: same ? transitions : transitions + 1,
    };
    const sentMs = clock.monotonicMs();
    const written = await this.#write({ ...before, spec }, signal);
    if (written === null) return false;
    // A term that has lapsed does not come to life again: whoever asked meanwhile was told that it is over.
    if (!this.isLeading()) this.endTerm();
    this.#received(written, true);
    this.#validUntilMs = sentMs + renewDeadlineMs;
    return true;
  }

  async #giveBack(before: Lease, signal: AbortSignal): Promise<boolean> {
    const now = microTime(this.#options.clock.now());
    const spec = { ...before.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: now };
    const written = await this.#write({ ...before, spec }, signal);
    if (written !== null) this.#received(written, false);
    return written !== null;
  }

  async #create(signal: AbortSignal): Promise<void> {
    const { client, clock, namespace, name, renewDeadlineMs } = this.#options;
    const graceMs = this.#durationMs(this.#seen);
    this.#lose();
    const now = microTime(clock.now());
    const lease: Lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { namespace, name },
      spec: { ...this.#ownSpec(now), acquireTime: now, leaseTransitions: 0 },
    };
    const sentMs = clock.monotonicMs();
    try {
      const written = await this.#request(signal, (limit) => client.create(LEASE, lease, { signal: limit }));
      this.#received(written, true);
      this.#leadFromMs = clock.monotonicMs() + graceMs;
      this.#validUntilMs = sentMs + renewDeadlineMs;
    } catch (error) {
      if (isAlreadyExists(error)) return;
      this.#unanswered = !wasRefused(error);
      throw error;
    }
  }

  async #read(signal: AbortSignal): Promise<Lease | null> {
    const { client, namespace, name } = this.#options;
    try {
      return await this.#request(signal, (limit) => client.get<Lease>(LEASE, { namespace, name }, limit));
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
  }

  /** Null: the Lease is no longer what it was written over. */
  async #write(lease: Lease, signal: AbortSignal): Promise<Lease | null> {
    try {
      return await this.#request(signal, (limit) =>
        this.#options.client.update(LEASE, lease, { signal: limit }),
      );
    } catch (error) {
      // What became of a request without an answer is unknown, so the next attempt reads.
      this.#held = false;
      if (isConflict(error) || isNotFound(error)) return null;
      this.#unanswered = !wasRefused(error);
      throw error;
    }
  }

  #observe(lease: Lease): void {
    const ours = holderOf(lease) === this.#options.identity;
    if (!ours) this.#lose();
    if (lease.metadata.uid !== this.#seen?.metadata.uid) {
      // Ours, and new to us: a creation whose answer was lost.
      const graceMs = this.#durationMs(this.#seen);
      this.#leadFromMs = ours ? this.#options.clock.monotonicMs() + graceMs : -Infinity;
    }
    this.#received(lease, ours);
  }

  #received(lease: Lease, held: boolean): void {
    this.#held = held;
    this.#unanswered = false;
    const before = this.#seen?.metadata;
    if (before?.resourceVersion === lease.metadata.resourceVersion && before?.uid === lease.metadata.uid)
      return;
    this.#seen = lease;
    this.#seenMs = this.#options.clock.monotonicMs();
  }

  /** Another holds the Lease, or nobody: a term ends here, not at its deadline. */
  #lose(): void {
    this.#held = false;
    this.#validUntilMs = -Infinity;
    this.endTerm();
  }

  /** Of what the record says and what we know, the longer: a record can be edited. */
  #durationMs(lease: Lease | null): number {
    return Math.max((lease?.spec?.leaseDurationSeconds ?? 0) * 1000, this.#options.leaseDurationMs);
  }

  #ownSpec(now: string): LeaseSpec {
    const { identity, leaseDurationMs } = this.#options;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(leaseDurationMs / 1000),
      renewTime: now,
    };
  }

  #request<T>(signal: AbortSignal, send: (limit: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, requestTimeoutMs } = this.#options;
    return limited(clock, requestTimeoutMs, signal, send);
  }
}

function holderOf(lease: Lease): string {
  return lease.spec?.holderIdentity ?? '';
}

/** The server said no. What says nothing, or 5xx, may have been carried out. */
function wasRefused(error: unknown): boolean {
  return error instanceof ApiError && error.status < 500;
}
