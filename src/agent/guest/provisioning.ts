import { resolve } from 'node:path';
import { backoffMs } from '../../lib/backoff.ts';
import { isVmnError } from '../../lib/errors.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { removeUnfinishedSeeds } from '../../cloudinit/seed-image/image-file.ts';
import type { TapHolder } from '../host/kernel.ts';
import { LockBusy } from '../host/lock.ts';
import type { ControlMachine } from '../vm-control/machine.ts';
import type { PatientPorts } from '../wiring/closed-tap.ts';
import type { AttachmentPaths } from '../wiring/paths.ts';
import { seedOf, seedsDirOf } from '../wiring/paths.ts';
import { deliverSeed } from './deliver.ts';
import type { GuestSaid } from './guest-order.ts';
import type { HeldSeed } from './held-seed.ts';
import { delivered, failedBy, notSeen, PENDING, takenOut } from './said.ts';
import { makeSeed } from './seed-of-order.ts';
import type { OrderedGuest } from './seed-of-order.ts';

/*
 * Theory of operation
 *
 * Passes say which guests are to be told what (`keep`); the work goes on beside them, one guest at a time, and nothing that closes
 * waits for it: a guest that is never told anything is held all the same.
 *
 *   key and image   made once for each order, and again when the order changes
 *   delivery        to a process that does not have this very image open; again after a while where it failed
 *   a sign          the consumer's endpoint answered since: only then is anything known of the guest itself
 *
 * What is said is what was last looked at. A VM that has ended, or an order that was withdrawn, is forgotten here; key and image end
 * with the record (records.ts).
 */

/** A guest on this host, as a pass left it. */
export interface GuestWish extends OrderedGuest {
  /** Who runs its VM. */
  readonly process: TapHolder;
  /** Frames that reached the guest since its filter was attached; null: not to be read. */
  readonly answers: () => bigint | null;
}

/** What is known of a guest. */
export interface GuestState {
  readonly said: GuestSaid;
  /** The image, for launchers that ask; null: there is none. */
  readonly seed: string | null;
}

export interface ProvisioningOptions {
  readonly machine: ControlMachine;
  readonly ports: Pick<PatientPorts, 'whenStateLockIsFree' | 'withStateLock' | 'records'>;
  readonly paths: AttachmentPaths;
  readonly heldSeed: (pid: number, path: string) => HeldSeed;
  readonly seesFile: (pid: number, path: string) => boolean;
  readonly clock: Pick<Clock, 'sleep' | 'setTimer' | 'monotonicMs'>;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** What is said of some guest changed. */
  readonly onChange: () => void;
}

const AGAIN = { initialMs: 500, longestMs: 15_000 };
/** How often it is looked whether a guest still has its image, and whether it gave a sign. */
const LOOK_MS = 2_000;

interface Job {
  wish: GuestWish;
  /** What the image was last made of; null: it is to be made. */
  made: string | null;
  state: GuestState;
  /** Frames before this were no answer to what it was told now. */
  answersBefore: bigint;
  /** This VM had it. If it has it no more, somebody took it out. */
  wasHeld: boolean;
  failures: number;
  dueMs: number;
}

export class Provisioning {
  readonly #options: ProvisioningOptions;
  readonly #jobs = new Map<string, Job>();
  readonly #stop = new AbortController();
  #timer: Timer | null = null;
  #work: Promise<void> | null = null;
  /** What a killed agent left half written is gone. */
  #isSwept = false;

  constructor(options: ProvisioningOptions) {
    this.#options = options;
  }

  /** What is known of the guest with this record; null: nothing is asked for. */
  stateOf(key: string): GuestState | null {
    return this.#jobs.get(key)?.state ?? null;
  }

  /** All guests that are to be told something. Returns at once. */
  keep(wishes: readonly GuestWish[]): void {
    const keys = new Set(wishes.map(({ key }) => key));
    for (const key of this.#jobs.keys()) if (!keys.has(key)) this.#jobs.delete(key);
    for (const wish of wishes) this.#take(wish);
    this.#go();
  }

  /** Leaves off; what was given stays given. Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('the agent ends'));
    this.#timer?.cancel();
    this.#timer = null;
    await this.#work;
  }

  #take(wish: GuestWish): void {
    const job = this.#jobs.get(wish.key);
    const isSame = job !== undefined && processOf(job.wish) === processOf(wish);
    if (isSame && orderOf(job.wish) === orderOf(wish)) {
      job.wish = wish;
      return;
    }
    const seed = isSame ? job.state.seed : null;
    const state = { said: wish.order.objection ?? PENDING, seed };
    this.#jobs.set(wish.key, {
      wish,
      made: null,
      state,
      answersBefore: 0n,
      wasHeld: false,
      failures: 0,
      dueMs: 0,
    });
  }

  #go(): void {
    if (this.#stop.signal.aborted || this.#work !== null) return;
    this.#timer?.cancel();
    this.#timer = null;
    this.#work = this.#run().finally(() => {
      this.#work = null;
      this.#wait();
    });
  }

  /** Nobody else looks: what a guest does is in nobody's events. */
  #wait(): void {
    const due = [...this.#jobs.values()].filter(({ wish }) => wish.order.objection === null);
    if (this.#stop.signal.aborted || due.length === 0) return;
    const waitMs = Math.min(...due.map(({ dueMs }) => dueMs)) - this.#options.clock.monotonicMs();
    this.#timer = this.#options.clock.setTimer(Math.max(0, waitMs), () => this.#go());
  }

  async #run(): Promise<void> {
    let isChanged = false;
    for (const [key, job] of [...this.#jobs]) {
      const { clock } = this.#options;
      if (job.wish.order.objection !== null || clock.monotonicMs() < job.dueMs) continue;
      const said = await this.#attend(job);
      if (this.#stop.signal.aborted) return;
      if (this.#jobs.get(key) !== job) continue;
      if (said === null) {
        job.dueMs = clock.monotonicMs() + AGAIN.initialMs;
        continue;
      }
      const isDone = said.status !== 'False';
      job.dueMs = clock.monotonicMs() + (isDone ? LOOK_MS : backoffMs(job.failures, AGAIN));
      job.failures = isDone ? 0 : job.failures + 1;
      isChanged = this.#tell(key, job, said) || isChanged;
    }
    if (isChanged) this.#options.onChange();
  }

  #tell(key: string, job: Job, said: GuestSaid): boolean {
    const { paths, log } = this.#options;
    const before = job.state;
    job.state = { said, seed: job.made === null ? null : pathOf(paths, key) };
    const isSame = before.said.reason === said.reason && before.said.message === said.message;
    if (isSame && before.seed === job.state.seed) return false;
    const note = { on: key, vm: job.wish.vmName, reason: said.reason };
    if (said.status === 'False') log.warn(note, `guest: ${said.message}`);
    else log.info(note, `guest: ${said.message}`);
    return true;
  }

  /** Null: there is nothing to be said, as there is no record, or somebody holds the lock. */
  async #attend(job: Job): Promise<GuestSaid | null> {
    const { machine, clock, heldSeed, seesFile, ports, paths, log } = this.#options;
    const { wish } = job;
    const path = pathOf(paths, wish.key);
    try {
      if (job.made === null) {
        if (!this.#isSwept) await removeUnfinishedSeeds(seedsDirOf(paths));
        this.#isSwept = true;
        const isStart = heldSeed(wish.process.pid, path) === 'none';
        if (!(await makeSeed(wish, path, paths, ports, isStart))) return null;
        job.made = orderOf(wish);
      }
      const { pid } = wish.process;
      if (heldSeed(pid, path) === 'this') return this.#delivered(job);
      if (!machine.isAlive(wish.process)) return null;
      if (job.wasHeld) return takenOut();
      if (!seesFile(pid, path)) return notSeen(path);
      job.answersBefore = wish.answers() ?? 0n;
      const failed = await deliverSeed(path, wish.process, machine, clock, this.#stop.signal);
      if (failed !== null) return { status: 'False', ...failed };
      return heldSeed(pid, path) === 'this' ? this.#delivered(job) : null;
    } catch (error) {
      if (error instanceof LockBusy || this.#stop.signal.aborted) return null;
      if (!isVmnError(error)) log.warn({ err: error, on: wish.key }, 'guest not provisioned');
      return failedBy(error);
    }
  }

  #delivered(job: Job): GuestSaid {
    job.wasHeld = true;
    const { wish, answersBefore } = job;
    return delivered((wish.answers() ?? 0n) > answersBefore);
  }
}

function pathOf(paths: AttachmentPaths, key: string): string {
  return resolve(seedOf(paths, key));
}

function processOf({ process: { pid, startTicks } }: GuestWish): string {
  return `${pid} ${startTicks}`;
}

/** All that an image is made of but keys; says the same of two orders only if they are the same. */
function orderOf({ vmName, uuid, order: { network, presharedKey, objection } }: GuestWish): string {
  const { consumerEndpoint, wireGuard, cloudInit } = network;
  const key = presharedKey.kind === 'none' ? null : presharedKey.id;
  return JSON.stringify([vmName, uuid, consumerEndpoint, wireGuard, cloudInit, key, objection]);
}
