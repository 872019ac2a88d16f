import type { Clock } from '../../lib/clock.ts';
import { isVmnError } from '../../lib/errors.ts';
import { type Holder, Holders } from './holders.ts';
import type { Link, Machine, NamedNetns, NetnsOrigin, TunFile } from './machine.ts';
import { Namespaces } from './namespaces.ts';
import { NetnsNames } from './netns-names.ts';
import { ProcessTable, type VmProcess } from './processes.ts';
import { type HeldTap, isOurs, netnsOf, tapKey, type TapKey, tapsOf } from './taps.ts';

/** A VM's process and the taps that it holds. */
export interface SeenVm {
  readonly process: VmProcess;
  readonly taps: readonly HeldTap[];
  /** Why its taps could not be read; null: they were. */
  readonly illegible: string | null;
}

/** Something else that holds taps, for long enough to be their owner. */
export interface Stranger {
  readonly holder: Holder;
  readonly taps: readonly HeldTap[];
}

export interface Seen {
  readonly vms: readonly SeenVm[];
  readonly strangers: readonly Stranger[];
  /** Something is about to change of which there is no event: to be looked at again soon. */
  readonly unfinished: boolean;
  /** What could not be seen; each a sentence. */
  readonly problems: readonly string[];
}

/** What the kernel shows of VMs: their processes, their taps, where those are. Reads, and changes nothing. */
export class Sight {
  readonly #machine: Machine;
  readonly #processes: ProcessTable;
  readonly #namespaces: Namespaces;
  readonly #holders: Holders;
  readonly #names: NetnsNames;
  #named: readonly NamedNetns[] = [];
  /** By pid: the descriptors of taps, as they were when all descriptors were last looked at. */
  readonly #fds = new Map<number, { readonly startTicks: string; readonly fds: readonly number[] }>();
  /** Namespaces without a name in which somebody holds a tap, who is no VM that is known. */
  #hidden: ReadonlyMap<number, NetnsOrigin> = new Map();

  /** `onEvent`: something changed, look again. */
  constructor(machine: Machine, clock: Clock, onEvent: () => void) {
    this.#machine = machine;
    this.#names = new NetnsNames(machine, onEvent);
    this.#processes = new ProcessTable(machine, onEvent);
    this.#namespaces = new Namespaces(machine, onEvent);
    this.#holders = new Holders(machine, clock, () => this.#processes.others(), onEvent);
  }

  /** `thorough`: nothing that was seen before is relied on. */
  look(thorough: boolean): Seen {
    if (thorough) this.#namespaces.spoil();
    this.#named = this.#names.all(thorough);
    let view = this.#view(thorough);
    if (thorough && this.#findHidden()) view = this.#view(false);
    // A process may have become QEMU since it was looked at, or while its descriptors were; who holds a tap may have handed it on, and
    // hold it still.
    if (!thorough && (this.#hasOpenQuestions(view) || this.#mayBeHandedOn(view))) view = this.#view(true);
    const strange = this.#strangeTaps(view);
    const ofVms = new Set(keysOf(view.vms));
    const settled = view.strangers.filter(({ holder }) => this.#holders.isSettled(holder));
    const unsettled = view.strangers.filter((stranger) => !settled.includes(stranger));
    this.#holders.lookFor([...strange.keys()], keysOf(unsettled), thorough);
    return {
      vms: view.vms,
      strangers: settled.flatMap(({ holder, taps }) => {
        // Those that we made are known by their records, whoever holds them; a VM's is the VM's, whoever opened it for it.
        const others = taps.filter(({ ours, key }) => !ours && (key === null || !ofVms.has(key)));
        return others.length === 0 ? [] : [{ holder, taps: others }];
      }),
      unfinished: this.#processes.isUnfinished || this.#names.isUnfinished,
      problems: [...this.#namespaces.problems(), ...this.#unseen(strange)],
    };
  }

  /** Idempotent. */
  close(): void {
    this.#names.close();
    this.#holders.close();
    this.#processes.close();
    this.#namespaces.close();
  }

  #view(thorough: boolean): View {
    this.#processes.refresh(thorough);
    const vms = this.#processes.all().map((process) => ({ process, ...this.#filesOf(process, thorough) }));
    const pids = new Set(vms.map(({ process }) => process.pid));
    for (const pid of this.#fds.keys()) if (!pids.has(pid)) this.#fds.delete(pid);
    const holders = this.#holders.all((pid) => pids.has(pid));
    this.#namespaces.keep(this.#wanted(vms, holders));
    this.#namespaces.refresh();
    if (this.#forgetEmpty()) this.#namespaces.keep(this.#wanted(vms, holders));
    return {
      vms: vms.map(({ process, files, illegible }) => {
        return { process, illegible, taps: tapsOf(process.netns, files, this.#namespaces) };
      }),
      strangers: holders.map((holder) => ({ holder, taps: tapsOf(null, holder.files, this.#namespaces) })),
    };
  }

  /**
   * What a process holds. A process that took another tap since all of its descriptors were looked at leaves a tap whose
   * holder is not known, and that leads to a thorough look; or one that somebody else holds, too, and that changed.
   */
  #filesOf(
    { pid, startTicks }: VmProcess,
    thorough: boolean,
  ): { files: readonly TunFile[]; illegible: string | null } {
    const known = this.#fds.get(pid);
    const isKnown = !thorough && known?.startTicks === startTicks;
    try {
      const files = this.#machine.tunFiles(pid, isKnown ? known.fds : undefined);
      if (!isKnown) this.#fds.set(pid, { startTicks, fds: files.map(({ fd }) => fd) });
      return { files, illegible: null };
    } catch (error) {
      if (!isVmnError(error)) throw error;
      this.#fds.delete(pid);
      // Or it has ended: the next look knows.
      return { files: [], illegible: error.code === 'VMN_CAPABILITY' ? error.remedy : null };
    }
  }

  /** The network namespaces to be watched, each with a way to it. */
  #wanted(
    vms: readonly { readonly process: VmProcess; readonly files: readonly TunFile[] }[],
    holders: readonly Holder[],
  ): Map<number, NetnsOrigin> {
    const wanted = new Map<number, NetnsOrigin>();
    const want = (inode: number | null, origin: NetnsOrigin): void => {
      if (inode !== null && inode !== 0 && !wanted.has(inode)) wanted.set(inode, origin);
    };
    for (const { inode, path } of this.#named) want(inode, { path });
    for (const [inode, origin] of this.#hidden) want(inode, origin);
    for (const { process, files } of vms) {
      want(process.netns, { pid: process.pid });
      for (const { netns, fd } of files) want(netns, { pid: process.pid, fd });
    }
    for (const { pid, files } of holders) for (const { netns, fd } of files) want(netns, { pid, fd });
    return wanted;
  }

  /** Looks into namespaces that have no name and no VM; whether there is one to be watched. */
  #findHidden(): boolean {
    const looked = new Set<number>();
    const hidden = new Map(this.#hidden);
    for (const pid of this.#processes.others()) {
      const inode = this.#machine.netnsOf(pid);
      if (inode === null || looked.has(inode) || this.#namespaces.has(inode)) continue;
      looked.add(inode);
      if (this.#namespaces.hasHeldTaps({ pid })) hidden.set(inode, { pid });
    }
    const found = hidden.size > this.#hidden.size;
    this.#hidden = hidden;
    return found;
  }

  /** Whether there were hidden ones in which nobody holds a tap any more: they are let go. */
  #forgetEmpty(): boolean {
    const before = this.#hidden.size;
    if (before === 0) return false;
    const held = new Set(this.#namespaces.heldTaps().map(({ netns }) => netns));
    this.#hidden = new Map([...this.#hidden].filter(([inode]) => held.has(inode)));
    return this.#hidden.size < before;
  }

  /** Held taps whose holder is neither a VM nor a stranger that is known. */
  #strangeTaps({ vms, strangers }: View): Map<TapKey, Link> {
    const known = new Set([...keysOf(vms), ...keysOf(strangers)]);
    const held = this.#namespaces
      .heldTaps()
      .map(({ netns, link }): [TapKey, Link] => [tapKey(netns, link.ifindex), link]);
    return new Map(held.filter(([key]) => !known.has(key)));
  }

  /** Whether there are strange taps that are still looked for. */
  #hasOpenQuestions(view: View): boolean {
    const strange = [...this.#strangeTaps(view).keys()];
    return this.#holders.givenUp(strange).length < strange.length;
  }

  /** Whether others have held taps for a moment only, or something changed where they hold one: who gets it sets it up. */
  #mayBeHandedOn({ strangers }: View): boolean {
    return strangers.some(({ holder, taps }) => {
      const keys = taps.flatMap(({ ours, key }) => (ours || key === null ? [] : [key]));
      if (keys.length === 0) return false;
      return !this.#holders.isSettled(holder) || keys.some((key) => this.#namespaces.wasRead(netnsOf(key)));
    });
  }

  #unseen(strange: ReadonlyMap<TapKey, Link>): string[] {
    const others = [...strange].flatMap(([key, link]) => (isOurs(link) ? [] : [key]));
    return this.#holders.givenUp(others).map((key) => `who holds the tap ${key} cannot be seen`);
  }
}

interface View {
  readonly vms: readonly SeenVm[];
  readonly strangers: readonly Stranger[];
}

function keysOf(holders: readonly { readonly taps: readonly HeldTap[] }[]): TapKey[] {
  return holders.flatMap(({ taps }) => taps.flatMap(({ key }) => key ?? []));
}
