import { ApiError } from '../../../src/kube/api-error.ts';
import { type LeaderElection, leaderElection } from '../../../src/kube/leader-election/leader-election.ts';
import { type Clock, reasonOf, type Timer } from '../../../src/lib/clock.ts';
import { createLogger } from '../../../src/lib/log.ts';
import type { FakeClock } from '../../support/fake-clock.ts';
import { leaseClient, type LeaseServer } from '../../unit/kube/leader-election/lease-server.ts';

export interface World {
  readonly clock: FakeClock;
  readonly server: LeaseServer;
  /** In [0, 1), of the story's own. */
  readonly random: () => number;
}

export interface ProcessTraits {
  /** Its clocks run this many times as fast as time itself. */
  readonly speed: number;
  /** Its monotonic clock began so long before, ms. */
  readonly bootedMs: number;
  /** Its wall clock is wrong by so much, ms. */
  readonly wallErrorMs: number;
  /** After a pause what came from the network runs before timers that are overdue. */
  readonly networkFirst: boolean;
}

/** A process with a candidate in it: with clocks of its own, that can be stopped (SIGSTOP), continued and killed. */
export class CandidateProcess {
  readonly #world: World;
  readonly #traits: ProcessTraits;
  readonly #end = new AbortController();
  readonly #overdue: { readonly network: boolean; readonly run: () => void }[] = [];
  readonly #election: LeaderElection;
  #wallErrorMs: number;
  #stopped = false;
  #killed = false;
  #terms = 0;
  /** Its requests, and those of nobody else, fail. */
  cutOff = false;
  /** The run of the candidate has ended. */
  ended = false;

  constructor(world: World, traits: ProcessTraits) {
    this.#world = world;
    this.#traits = traits;
    this.#wallErrorMs = traits.wallErrorMs;
    const client = leaseClient(world.server, (act) => this.#carry(act));
    const log = createLogger({ level: 'silent' });
    const clock = this.#clock();
    // All have the same name, as pods of a StatefulSet that was deleted by force may.
    const where = { namespace: 'ns', name: 'lease', identity: 'pod' };
    this.#election = leaderElection({ client, ...where, clock, random: world.random, log });
    void this.#election
      .run(this.#end.signal, (lost) => this.#lead(lost, clock))
      .then(() => (this.ended = true));
  }

  get isLeading(): boolean {
    return !this.#killed && this.#election.isLeading();
  }

  get terms(): number {
    return this.#terms;
  }

  stop(): void {
    this.#stopped = true;
  }

  continue(): void {
    this.#stopped = false;
    const first = this.#overdue.filter(({ network }) => network === this.#traits.networkFirst);
    const second = this.#overdue.filter(({ network }) => network !== this.#traits.networkFirst);
    this.#overdue.length = 0;
    // One after the other, with the promises of each between them, as the event loop does.
    for (const { network, run } of [...first, ...second]) this.#later(0, network, run);
  }

  /** SIGTERM. */
  terminate(): void {
    this.#end.abort();
  }

  /** SIGKILL: what is on the wire stays there. */
  kill(): void {
    this.#killed = true;
  }

  stepWall(byMs: number): void {
    this.#wallErrorMs += byMs;
  }

  /** Work of a leader, which takes a while to notice that it is to end. */
  async #lead(lost: AbortSignal, clock: Clock): Promise<void> {
    this.#terms += 1;
    await clock.sleep(3_600_000, lost).catch(() => undefined);
    await clock.sleep(this.#world.random() * 4_000);
  }

  async #carry<T>(act: () => T): Promise<T> {
    await new Promise<void>((resolve) => this.#world.clock.setTimer(this.#wireMs(), resolve));
    const fate = this.#world.random();
    const answer: { value: T } | { error: unknown } | null = this.cutOff || fate < 0.03 ? null : attempt(act);
    const failed = answer === null || fate > 0.97;
    await new Promise<void>((resolve) => this.#later(this.#wireMs(), true, resolve));
    if (failed) {
      if (fate > 0.985) throw new ApiError('timeout', { status: 504, reason: 'Timeout' });
      throw new TypeError('connection reset');
    }
    if ('error' in answer) throw answer.error;
    return answer.value;
  }

  /** Mostly milliseconds, now and then longer than any deadline. */
  #wireMs(): number {
    const { random } = this.#world;
    return random() < 0.93 ? random() * 30 : random() * 14_000;
  }

  #later(delayMs: number, network: boolean, run: () => void): Timer {
    return this.#world.clock.setTimer(delayMs, () => {
      if (this.#killed) return;
      if (this.#stopped) this.#overdue.push({ network, run });
      else run();
    });
  }

  #clock(): Clock {
    const { clock } = this.#world;
    const { speed, bootedMs } = this.#traits;
    const monotonicMs = () => clock.monotonicMs() * speed + bootedMs;
    const nowMs = () => clock.nowMs() + this.#wallErrorMs;
    const setTimer = (delayMs: number, run: () => void): Timer => {
      let cancelled = false;
      const timer = this.#later(delayMs / speed, false, () => {
        if (!cancelled) run();
      });
      return {
        cancel: () => {
          cancelled = true;
          timer.cancel();
        },
      };
    };
    return {
      now: () => new Date(nowMs()),
      nowMs,
      monotonicNs: () => BigInt(Math.round(monotonicMs() * 1e6)),
      monotonicMs,
      setTimer,
      sleep: (delayMs, signal) =>
        new Promise((resolve, reject) => {
          if (signal?.aborted === true) return reject(reasonOf(signal));
          const timer = setTimer(delayMs, resolve);
          signal?.addEventListener('abort', () => {
            timer.cancel();
            reject(reasonOf(signal));
          });
        }),
    };
  }
}

function attempt<T>(act: () => T): { value: T } | { error: unknown } {
  try {
    return { value: act() };
  } catch (error) {
    return { error };
  }
}
