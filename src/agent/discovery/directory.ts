import type { VirtualMachine } from '../../api/v1alpha1/virtual-machine.ts';

/** A VM that runs on this host, with the cards that were found. */
export interface HostVm {
  /** As VMNetworkNode says it. */
  readonly reported: VirtualMachine;
  /** What enforcement needs to know of its cards, in the order of `reported.interfaces`. */
  readonly cards: readonly HostCard[];
}

export interface HostCard {
  /** The guest's, lower case. */
  readonly mac: string;
  /** Null: a backend without an interface on the host. */
  readonly link: HostLink | null;
  /** Why it cannot be filtered; null: it can. */
  readonly unsupported: string | null;
  /** The process that holds it, by pid and start time; null: not known. */
  readonly pid: number | null;
  readonly startTicks: string | null;
}

export interface HostLink {
  /** Null: the agent's own network namespace; else `net:[inode]`. */
  readonly netns: string | null;
  readonly ifindex: number;
  readonly name: string;
}

/** The VMs of this host. */
export interface VmDirectory {
  /** As last seen, by id. */
  list(): readonly HostVm[];
  /** What kept something from being found, or from being told as it is; each a sentence. */
  problems(): readonly string[];
  /** From now on called after each change of the list or of the problems. A handler must neither throw nor wait. */
  onChange(handler: () => void): void;
  start(): void;
  /** Idempotent. */
  close(): void;
}
