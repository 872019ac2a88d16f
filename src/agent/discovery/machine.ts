import type { Closable } from '../../native/addon.ts';
import type { TunFile } from '../../native/foreign-process.ts';
import type { Link } from '../../native/rtnetlink.ts';
import type { CommandLine } from './argv/command-line.ts';
import type { VmFacts } from './facts.ts';

export type { Closable } from '../../native/addon.ts';
export type { TunFile } from '../../native/foreign-process.ts';
export type { Link } from '../../native/rtnetlink.ts';

/** How a network namespace is got hold of: by its name, by a process in it, by a tap that is in it. */
export type NetnsOrigin =
  { readonly path: string } | { readonly pid: number } | { readonly pid: number; readonly fd: number };

export interface NamedNetns {
  readonly path: string;
  readonly inode: number;
  /** False: it is a file that no namespace is mounted over, yet or any more. */
  readonly mounted: boolean;
}

/**
 * What discovery asks of the machine: production passes the real one (`systemMachine`), tests a model. Nothing of it changes
 * anything. What is gone by the time it is asked for is null or empty; VmnError is thrown for what is not allowed.
 */
export interface Machine {
  pids(): number[];
  /** Base name of the program that it runs. */
  programOf(pid: number): string | null;
  startOf(pid: number): string | null;
  commandLineOf(pid: number): string[];
  cgroupsOf(pid: number): string;
  netnsOf(pid: number): number | null;
  /** `fds`: look at these alone. */
  tunFiles(pid: number, fds?: readonly number[]): TunFile[];
  watchEnd(pid: number, onEnd: () => void): Closable;
  /** Whether a PCI device of the host is a network card. */
  isNetworkDevice(pciAddress: string): boolean;
  /** What a VM, or libvirt for it, says of itself now; null when there is nobody to ask. Never rejects. */
  ask(pid: number, commandLine: CommandLine): Promise<VmFacts | null>;

  ownNetns(): number;
  namedNetns(): NamedNetns[];
  /** Calls back when a name came or went; not when a namespace is mounted over one. Closes nothing that is not there. */
  watchNamedNetns(onChange: () => void): Closable;
  /** A descriptor of the namespace, and which one it is. */
  openNetns(origin: NetnsOrigin): { fd: number; inode: number };
  closeNetns(fd: number): void;
  /** Null: our own. */
  linksIn(netnsFd: number | null): Link[];
  watchLinksIn(netnsFd: number | null, onChange: () => void): Closable;
}
