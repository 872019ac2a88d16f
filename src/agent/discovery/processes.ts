import { type CommandLine, readCommandLine } from './argv/command-line.ts';
import type { ProcessKey } from './identity.ts';
import { podOf } from './kubernetes.ts';
import type { Closable, Machine } from './machine.ts';

/** A process that runs a VM. */
export interface VmProcess extends ProcessKey {
  readonly program: string;
  readonly commandLine: CommandLine;
  readonly netns: number | null;
  /** Uid of the pod it is in. */
  readonly pod: string | null;
}

/** QEMU under the names that distributions give it; `kvm` is what Debian and Proxmox call it, `qemu-kvm` Red Hat. */
const QEMU = /^\.?(qemu-system-[\w-]+|qemu-kvm|kvm)$/;

type TableMachine = Pick<
  Machine,
  'pids' | 'programOf' | 'startOf' | 'commandLineOf' | 'cgroupsOf' | 'netnsOf' | 'watchEnd'
>;

/** A process of which nobody can tell how it was started is not looked at without end. */
const MOST_VAIN_READS = 40;

/** Not what QEMU does without words, which is to make a card of its own. */
const NOT_READ: CommandLine = {
  facts: { name: null, uuid: null, cards: [], backends: [] },
  ...{ incoming: false, qmpSockets: [], byLibvirt: false, hostDevices: [] },
};

interface Entry {
  readonly process: VmProcess;
  readonly end: Closable | null;
  /** How often its command line was read and found empty. */
  readonly vain: number;
}

/** The processes of this host that run VMs. What was read of one is kept until it ends. */
export class ProcessTable {
  readonly #machine: TableMachine;
  readonly #onEnd: () => void;
  readonly #vms = new Map<number, Entry>();
  /** Pids that ran something else when they were looked at. */
  readonly #others = new Set<number>();

  constructor(machine: TableMachine, onEnd: () => void) {
    this.#machine = machine;
    this.#onEnd = onEnd;
  }

  /**
   * Looks at processes that are new; `thorough`: at all, for what runs something else may have become QEMU (exec), and a pid
   * may be another's.
   */
  refresh(thorough: boolean): void {
    const there = new Set(this.#machine.pids());
    for (const pid of this.#vms.keys()) if (!there.has(pid)) this.#forget(pid);
    for (const pid of this.#others) if (!there.has(pid)) this.#others.delete(pid);
    for (const pid of there) this.#look(pid, thorough);
  }

  all(): VmProcess[] {
    return [...this.#vms.values()].map(({ process }) => process);
  }

  /**
   * There are processes that are to be looked at again soon. In execve(2) a process has the program's name before it has its words
   * (begin_new_exec, then create_elf_tables in fs/binfmt_elf.c), and nobody tells when it has them.
   */
  get isUnfinished(): boolean {
    return [...this.#vms.values()].some(isHalfRead);
  }

  /** Pids that run something else. */
  others(): number[] {
    return [...this.#others];
  }

  /** Idempotent. */
  close(): void {
    for (const pid of [...this.#vms.keys()]) this.#forget(pid);
    this.#others.clear();
  }

  #look(pid: number, thorough: boolean): void {
    const vm = this.#vms.get(pid);
    if (vm !== undefined) {
      // As long as its end is watched it is the same one.
      const isToBeRead = isHalfRead(vm) || (vm.vain > 0 && thorough);
      if (vm.end !== null && !thorough && !isToBeRead) return;
      if (this.#machine.startOf(pid) === vm.process.startTicks && this.#isQemu(pid) && !isToBeRead) return;
      this.#forget(pid);
    }
    if (this.#others.has(pid) && !thorough) return;
    if (!this.#isQemu(pid)) {
      this.#others.add(pid);
      return;
    }
    this.#others.delete(pid);
    this.#add(pid, vm?.vain ?? 0);
  }

  #isQemu(pid: number): boolean {
    return QEMU.test(this.#machine.programOf(pid) ?? '');
  }

  #add(pid: number, vainBefore: number): void {
    const startTicks = this.#machine.startOf(pid);
    if (startTicks === null) return;
    const words = this.#machine.commandLineOf(pid);
    const process: VmProcess = {
      pid,
      startTicks,
      program: this.#machine.programOf(pid) ?? '',
      commandLine: words.length === 0 ? NOT_READ : readCommandLine(words),
      netns: this.#machine.netnsOf(pid),
      pod: podOf(this.#machine.cgroupsOf(pid)),
    };
    const end = this.#watchEnd(pid);
    // After everything: if the pid changed hands meanwhile, nothing that was read is kept.
    if (this.#machine.startOf(pid) !== startTicks) return end?.close();
    this.#vms.set(pid, { process, end, vain: words.length === 0 ? vainBefore + 1 : 0 });
  }

  #watchEnd(pid: number): Closable | null {
    try {
      return this.#machine.watchEnd(pid, () => {
        this.#forget(pid);
        this.#onEnd();
      });
    } catch {
      // Gone, or not to be watched: then it is looked at each time.
      return null;
    }
  }

  #forget(pid: number): void {
    this.#vms.get(pid)?.end?.close();
    this.#vms.delete(pid);
  }
}

function isHalfRead({ vain }: Entry): boolean {
  return vain > 0 && vain < MOST_VAIN_READS;
}
