import { randomUUID } from 'node:crypto';
import { type Clock, reasonOf } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { KubeClient } from '../client.ts';
import { Candidate } from './candidate.ts';
import { within } from '../../lib/time-limit.ts';

/** One of several processes that agree, by a Lease, on who leads. How, and why it is safe: `candidate.ts`. */
export interface LeaderElection {
  /** As it stands in the Lease: the identity that was given, and what makes it this process's alone. */
  readonly identity: string;
  /**
   * Leads, by the monotonic clock of this moment: false once the renew deadline has passed, whether or not a timer ran.
   * To be asked right before each thing that only a leader may do (`fence`).
   */
  isLeading(): boolean;
  /**
   * Campaigns; when elected calls `lead` and keeps the Lease until that ends. Its signal aborts when `signal` does or
   * leadership is lost. In the former case the Lease is renewed until `lead` has ended, then given back, and `run` ends.
   * In the latter `run` waits for `lead` to end, whatever it throws, and campaigns again. If `lead` ends or throws while
   * it leads, so does `run`. Which errors end the process is the caller's matter.
   */
  run(signal: AbortSignal, lead: (lost: AbortSignal) => Promise<void>): Promise<void>;
}

export interface LeaderElectionOptions {
  /** Not fenced: it is what the fence relies on. */
  readonly client: KubeClient;
  readonly namespace: string;
  /** Of the Lease, and label of the metrics. */
  readonly name: string;
  /** For people, for example the pod's name. Need not be unique. */
  readonly identity: string;
  /** Others take over this long after they saw the last renewal, ms. Default 15,000; whole seconds. */
  readonly leaseDurationMs?: number | undefined;
  /** A leader leads this long after it sent its last renewal, ms. Default 10,000; at most four fifths of the former. */
  readonly renewDeadlineMs?: number | undefined;
  /** Pause between renewals, and at least between tries of those who wait, ms. Default 2,000; at most half of the former. */
  readonly retryPeriodMs?: number | undefined;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random?: (() => number) | undefined;
  readonly log: Logger;
  readonly metrics?: Metrics | undefined;
}

/** The reason of the signal of `lead` when the Lease could not be renewed in time, or has another holder. */
export class LeadershipLost extends Error {
  override readonly name = 'LeadershipLost';
}

/** Those who wait come back after up to this many retry periods more, so that they do not all come at once. */
const JITTER = 1.2;

export function leaderElection(options: LeaderElectionOptions): LeaderElection {
  const { client, namespace, name, clock, random = Math.random, metrics } = options;
  const { leaseDurationMs = 15_000, renewDeadlineMs = 10_000, retryPeriodMs = 2_000 } = options;
  check({ leaseDurationMs, renewDeadlineMs, retryPeriodMs });
  // Two processes with one identity would take each other's Lease for their own.
  const identity = `${options.identity}_${randomUUID()}`;
  const log = options.log.child({ lease: `${namespace}/${name}` });
  // Half, so that one request that gets no answer does not cost the term.
  const requestTimeoutMs = renewDeadlineMs / 2;
  const candidate = new Candidate({
    ...{ client, namespace, name, identity, clock, leaseDurationMs, renewDeadlineMs, requestTimeoutMs },
  });
  metrics?.leaderElection(name, () => candidate.isLeading());

  let failing = false;
  /** One step; its failure is told once, until one succeeds. False if it failed. */
  async function attempt(signal: AbortSignal): Promise<boolean> {
    try {
      await candidate.attempt(signal);
      failing = false;
      return true;
    } catch (err) {
      if (signal.aborted) return false;
      log[failing ? 'debug' : 'warn']({ err }, 'the Lease could not be read or written, will be tried again');
      failing = true;
      return false;
    }
  }

  async function campaign(signal: AbortSignal): Promise<void> {
    let holder: string | null = null;
    while (!signal.aborted) {
      await attempt(signal);
      if (signal.aborted || candidate.beginTerm()) return;
      if (candidate.holder !== holder) {
        holder = candidate.holder;
        const ours = holder === identity;
        log.info({ holder }, ours ? 'waits until no earlier leader can lead' : 'waits for the Lease');
      }
      const pauseMs = retryPeriodMs * (1 + JITTER * random());
      // Not past the moment when the Lease becomes free, but never without a pause.
      const waitMs = candidate.waitMs();
      await pause(clock, waitMs > 0 ? Math.min(pauseMs, waitMs) : pauseMs, signal);
    }
  }

  /** Renews until leadership has lapsed or `over` aborts. */
  async function hold(over: AbortSignal): Promise<void> {
    let renewed = true;
    while (!over.aborted && candidate.isLeading()) {
      const leftMs = candidate.leftMs();
      // Counted from when a renewal was sent, so that slow answers leave as many tries as quick ones.
      const pauseMs = renewed ? leftMs - (renewDeadlineMs - retryPeriodMs) : Math.min(retryPeriodMs, leftMs);
      await pause(clock, Math.max(pauseMs, 0), over);
      if (over.aborted || !candidate.isLeading()) return;
      // A renewal that does not come back in time must not delay the end of the term.
      renewed = await within(clock, candidate.leftMs(), over, attempt);
    }
  }

  async function release(): Promise<void> {
    try {
      // The signal of the run is spent; each request has a limit of its own.
      if (await candidate.release(new AbortController().signal)) log.info('gave the Lease back');
    } catch (err) {
      log.warn({ err }, 'could not give the Lease back; it will expire');
    }
  }

  /** True: `lead` ended while it led. */
  async function term(signal: AbortSignal, lead: (lost: AbortSignal) => Promise<void>): Promise<boolean> {
    log.info('leads');
    const lost = new AbortController();
    const stop = () => lost.abort(reasonOf(signal));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });

    const over = new AbortController();
    const work = Promise.resolve()
      .then(() => lead(lost.signal))
      .then(
        () => null,
        // What it throws because it was told to stop is not an error.
        (error: unknown) => (lost.signal.aborted && error === lost.signal.reason ? null : { error }),
      )
      .finally(() => over.abort());
    await hold(over.signal);
    const ended = over.signal.aborted;
    candidate.endTerm();
    if (!ended) {
      log.warn('leads no longer: the Lease was not renewed in time, or another holds it');
      lost.abort(new LeadershipLost('the Lease was lost; whoever holds it leads'));
    }
    const late = clock.setTimer(leaseDurationMs, () =>
      log.error('what this process did as the leader has not ended yet; until then it does not campaign'),
    );
    const failure = await work;
    late.cancel();
    signal.removeEventListener('abort', stop);
    if (ended && failure !== null) throw failure.error;
    if (failure !== null) log.warn({ err: failure.error }, 'failed while it ended after lost leadership');
    return ended;
  }

  return {
    identity,
    isLeading: () => candidate.isLeading(),
    run: async (signal, lead) => {
      try {
        while (!signal.aborted) {
          await campaign(signal);
          if (candidate.isLeading() && (await term(signal, lead))) return;
        }
      } finally {
        await release();
      }
    },
  };
}

/** Ends early, without an error, when the signal aborts. */
async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function check(times: { leaseDurationMs: number; renewDeadlineMs: number; retryPeriodMs: number }): void {
  const { leaseDurationMs, renewDeadlineMs, retryPeriodMs } = times;
  if (!(leaseDurationMs >= 1000 && leaseDurationMs % 1000 === 0)) {
    throw new RangeError(`leaseDurationMs is ${leaseDurationMs}; a Lease counts whole seconds, 1000 or more`);
  }
  // The rest is what clocks of different speed and requests on their way may take.
  if (!(renewDeadlineMs <= 0.8 * leaseDurationMs)) {
    throw new RangeError(
      `renewDeadlineMs is ${renewDeadlineMs}; give at most four fifths of leaseDurationMs, ${0.8 * leaseDurationMs}`,
    );
  }
  if (!(retryPeriodMs > 0 && retryPeriodMs * 2 <= renewDeadlineMs)) {
    throw new RangeError(
      `retryPeriodMs is ${retryPeriodMs}; give at most half of renewDeadlineMs, ${renewDeadlineMs / 2}`,
    );
  }
}
