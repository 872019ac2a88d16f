import type { Clock, Timer } from '../../lib/clock.ts';
import type { ProcessKey } from './identity.ts';
import type { Machine, TunFile } from './machine.ts';
import type { TapKey } from './taps.ts';

/*
 * Who holds a tap that no QEMU holds? Another VMM, a VPN, or somebody who is about to hand it on: libvirt opens a tap and then
 * becomes QEMU by fork and exec, which no event of the network tells. So it is looked for a few times, each time later, by
 * looking at the descriptors of every process, some at a turn of the loop; and a holder is told only once it has held for
 * a while.
 */

/** A process that holds taps and is no QEMU. */
export interface Holder extends ProcessKey {
  readonly program: string;
  readonly files: readonly TunFile[];
}

const AGAIN_MS = [0, 100, 200, 400, 800, 1600, 3200];
const HELD_FOR_MS = 2000;
const PROCESSES_A_TURN = 50;

type HoldersMachine = Pick<Machine, 'tunFiles' | 'startOf' | 'programOf'>;

interface Known {
  readonly holder: Holder;
  readonly sinceMs: number;
}

export class Holders {
  readonly #machine: HoldersMachine;
  readonly #clock: Pick<Clock, 'monotonicMs' | 'setTimer'>;
  readonly #pids: () => readonly number[];
  readonly #onFound: () => void;
  readonly #known = new Map<number, Known>();
  /** How often each tap was looked for in vain. */
  #tries = new Map<TapKey, number>();
  #searching = false;
  #timer: Timer | null = null;
  #closed = false;

  /** `pids`: where to look. `onFound`: look again at everything, now or because the time of a holder has come. */
  constructor(
    machine: HoldersMachine,
    clock: Pick<Clock, 'monotonicMs' | 'setTimer'>,
    pids: () => readonly number[],
    onFound: () => void,
  ) {
    this.#machine = machine;
    this.#clock = clock;
    this.#pids = pids;
    this.#onFound = onFound;
  }

  /** The holders that are known, as they are now. Whoever runs a VM by now is none of them. */
  all(isVm: (pid: number) => boolean): Holder[] {
    for (const [pid, { holder, sinceMs }] of this.#known) {
      const isIt =
        this.#machine.startOf(pid) === holder.startTicks && this.#machine.programOf(pid) === holder.program;
      const files = isVm(pid) || !isIt ? [] : this.#filesOf(pid);
      if (files.length === 0) this.#known.delete(pid);
      else this.#known.set(pid, { holder: { ...holder, files }, sinceMs });
    }
    return [...this.#known.values()].map(({ holder }) => holder);
  }

  /** It has held for long enough to be its own. */
  isSettled(holder: Holder): boolean {
    const known = this.#known.get(holder.pid);
    return known !== undefined && this.#clock.monotonicMs() - known.sinceMs >= HELD_FOR_MS;
  }

  /** These taps are held by nobody known; `unsettled`: by somebody who may be handing them on. Searches if there is reason. */
  lookFor(taps: readonly TapKey[], unsettled: readonly TapKey[], thorough: boolean): void {
    const wanted = new Set([...taps, ...unsettled]);
    this.#tries = new Map([...this.#tries].filter(([tap]) => wanted.has(tap) && !thorough));
    if (this.#searching || this.#timer !== null || this.#closed) return;
    const delays = [...wanted].flatMap((tap) => AGAIN_MS[this.#tries.get(tap) ?? 0] ?? []);
    if (delays.length === 0) return;
    for (const tap of wanted) this.#tries.set(tap, (this.#tries.get(tap) ?? 0) + 1);
    this.#timer = this.#clock.setTimer(Math.min(...delays), () => {
      this.#timer = null;
      if (taps.length === 0) this.#onFound();
      else void this.#search();
    });
  }

  /** Taps that were looked for as often as they are. */
  givenUp(taps: readonly TapKey[]): TapKey[] {
    return taps.filter((tap) => (this.#tries.get(tap) ?? 0) >= AGAIN_MS.length);
  }

  /** Nothing is called afterwards. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#known.clear();
  }

  async #search(): Promise<void> {
    this.#searching = true;
    const pids = this.#pids();
    for (let at = 0; at < pids.length && !this.#closed; at += PROCESSES_A_TURN) {
      for (const pid of pids.slice(at, at + PROCESSES_A_TURN)) this.#look(pid);
      await new Promise(setImmediate);
    }
    this.#searching = false;
    if (!this.#closed) this.#onFound();
  }

  #look(pid: number): void {
    if (this.#known.has(pid)) return;
    const startTicks = this.#machine.startOf(pid);
    const files = startTicks === null ? [] : this.#filesOf(pid);
    if (startTicks === null || files.length === 0) return;
    const program = this.#machine.programOf(pid) ?? '';
    const sinceMs = this.#clock.monotonicMs();
    this.#known.set(pid, { holder: { pid, startTicks, program, files }, sinceMs });
  }

  /** None of a process that has ended, or may not be looked into. */
  #filesOf(pid: number): TunFile[] {
    try {
      return this.#machine.tunFiles(pid).filter(({ kind }) => kind === 'tap');
    } catch {
      return [];
    }
  }
}
