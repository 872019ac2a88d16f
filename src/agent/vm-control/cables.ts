import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { TapHolder } from '../host/kernel.ts';
import type { CableStore, PulledCable } from './cable-file.ts';
import type { ControlMachine } from './machine.ts';
import { setCable } from './set-cable.ts';

/*
 * Theory of operation
 *
 * A VM that is quarantined for its violations gets its cable pulled (QMP set_link), so that its guest sees that it has no network
 * instead of waiting for answers. That is a courtesy: what holds is deny-all, which came first and does not depend on this. So it
 * is tried where a monitor may be used, told where not, and repeated once in a while.
 *
 * The tap itself stays up on the host: it passes nothing either way, and a tap that is down shows no carrier, which is how it is
 * seen whether a VM holds it, and would be one more state for the next agent to tell from an administrator's doing.
 *
 * Passes say which cables are to be out (`keep`); the work goes on beside them, one cable at a time. A cable is noted in a file
 * before it is pulled, and crossed out after it was plugged in, so that an agent that dies in between leaves none out for ever.
 */

/** Of an attachment that is quarantined. */
export interface CableWish {
  /** What its record goes by. */
  readonly key: string;
  readonly mac: string;
  /** `stay`: as it is, for it is somebody's kill switch now. */
  readonly want: 'out' | 'stay';
  /** Who holds the tap now. Not asked often. */
  readonly holders: () => readonly TapHolder[];
}

export interface CablesOptions {
  readonly machine: ControlMachine;
  readonly store: CableStore;
  readonly clock: Pick<Clock, 'sleep' | 'monotonicMs'>;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** What is told of some cable changed. */
  readonly onChange: () => void;
}

const AGAIN_MS = 15_000;

interface Failure {
  readonly doing: 'pull' | 'plug';
  readonly reason: string;
  readonly atMs: number;
}

export class Cables {
  readonly #options: CablesOptions;
  /** Those that are out, or may be. Null: not read yet. */
  #pulled: Map<string, PulledCable> | null = null;
  readonly #failures = new Map<string, Failure>();
  #wishes: ReadonlyMap<string, CableWish> = new Map();
  #work: Promise<void> | null = null;
  #again = false;
  readonly #stop = new AbortController();

  constructor(options: CablesOptions) {
    this.#options = options;
  }

  /** What people are told of a cable; null: nothing. */
  stateOf(key: string): string | null {
    const failure = this.#failures.get(key);
    if (failure?.doing === 'pull') return `its cable could not be pulled: ${failure.reason}`;
    if (failure !== undefined) return `its cable is still out: ${failure.reason}`;
    return this.#wishes.has(key) && this.#pulled?.has(key) === true ? 'its cable is pulled' : null;
  }

  /** All that are to be out, or to stay out; every other one that we pulled is plugged in. Returns at once. */
  keep(wishes: readonly CableWish[]): void {
    this.#wishes = new Map(wishes.map((wish) => [wish.key, wish]));
    for (const key of this.#failures.keys()) {
      if (!this.#wishes.has(key) && !this.#known().has(key)) this.#failures.delete(key);
    }
    this.#go();
  }

  /** When what failed may be tried again, by a pass (CLOCK_MONOTONIC); null: nothing waits. What was due before now had its pass. */
  nextNs(): bigint | null {
    const nowMs = this.#options.clock.monotonicMs();
    const dueMs = [...this.#failures.values()].map(({ atMs }) => atMs + AGAIN_MS).filter((ms) => ms > nowMs);
    return dueMs.length === 0 ? null : BigInt(Math.ceil(Math.min(...dueMs))) * 1_000_000n;
  }

  /** Leaves off; cables stay as they are. Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('the agent ends'));
    await this.#work;
  }

  #known(): Map<string, PulledCable> {
    this.#pulled ??= new Map(this.#options.store.read().map((one) => [one.key, one]));
    return this.#pulled;
  }

  #go(): void {
    if (this.#stop.signal.aborted) return;
    this.#again = true;
    this.#work ??= this.#run().finally(() => {
      this.#work = null;
      // Wished for after the last look at the wishes, and before this.
      if (this.#again) this.#go();
    });
  }

  async #run(): Promise<void> {
    const before = this.#told();
    while (this.#again) {
      this.#again = false;
      try {
        await this.#round();
      } catch (err) {
        if (this.#stop.signal.aborted) return;
        this.#options.log.warn({ err }, 'cables of quarantined VMs');
      }
    }
    if (this.#told() !== before) this.#options.onChange();
  }

  async #round(): Promise<void> {
    for (const wish of this.#wishes.values()) if (wish.want === 'out') await this.#pull(wish);
    for (const cable of this.#known().values()) if (!this.#wishes.has(cable.key)) await this.#plug(cable);
  }

  async #pull(wish: CableWish): Promise<void> {
    const { machine, clock, log } = this.#options;
    const known = this.#known().get(wish.key);
    const isOut = known !== undefined && machine.isAlive(known);
    const failed = this.#failures.get(wish.key);
    if (failed === undefined ? isOut : !this.#isDue(failed)) return;
    const [process, ...others] = wish.holders();
    if (process === undefined || others.length > 0)
      return this.#failed(wish.key, 'pull', 'no single process holds its tap');
    const { pid, startTicks } = process;
    const { key, mac } = wish;
    const note = (): void => this.#note([...this.#others(key), { key, pid, startTicks, mac }]);
    const reason = await setCable({ process, mac }, false, machine, clock, this.#stop.signal, note);
    if (reason !== null) return this.#failed(key, 'pull', reason);
    this.#failures.delete(wish.key);
    log.info({ on: wish.key, pid }, 'cable pulled');
  }

  async #plug({ key, pid, startTicks, mac }: PulledCable): Promise<void> {
    const { machine, clock, log } = this.#options;
    const failed = this.#failures.get(key);
    const process = { pid, startTicks };
    if (machine.isAlive(process)) {
      if (failed !== undefined && !this.#isDue(failed)) return;
      const reason = await setCable({ process, mac }, true, machine, clock, this.#stop.signal);
      if (reason !== null) return this.#failed(key, 'plug', reason);
      log.info({ on: key, pid }, 'cable plugged in');
    }
    this.#failures.delete(key);
    this.#note(this.#others(key));
  }

  #isDue({ atMs }: Failure): boolean {
    return this.#options.clock.monotonicMs() - atMs >= AGAIN_MS;
  }

  #failed(key: string, doing: Failure['doing'], reason: string): void {
    const { clock, log } = this.#options;
    if (this.#failures.get(key)?.reason !== reason)
      log.warn({ on: key, reason }, `cable: cannot ${doing} it`);
    this.#failures.set(key, { doing, reason, atMs: clock.monotonicMs() });
  }

  #others(key: string): PulledCable[] {
    return [...this.#known().values()].filter((one) => one.key !== key);
  }

  #note(pulled: readonly PulledCable[]): void {
    this.#options.store.write(pulled);
    this.#pulled = new Map(pulled.map((one) => [one.key, one]));
  }

  #told(): string {
    const keys = [...this.#wishes.keys(), ...this.#failures.keys()];
    return keys.map((key) => `${key} ${this.stateOf(key) ?? ''}`).join('\n');
  }
}
