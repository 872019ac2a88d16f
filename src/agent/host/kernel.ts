import type { CounterLine, ReadBack } from '../../native/filter-engine.ts';
import type { Link } from '../../native/rtnetlink.ts';
import type { TunnelSigns } from './tunnel-signs.ts';

export type { ReadBack } from '../../native/filter-engine.ts';
export type { Link } from '../../native/rtnetlink.ts';

/** Where the host would send a packet for some address. `local`: to itself or to no single host (broadcast, multicast). */
export interface RouteAnswer {
  readonly ifindex: number;
  readonly name: string;
  readonly local: boolean;
}

export interface HostRoute {
  readonly destination: string;
  readonly prefixLength: number;
  readonly ifindex: number;
}

/** A process by pid and start time. */
export interface TapHolder {
  readonly pid: number;
  readonly startTicks: string;
}

/**
 * What the agent asks of the machine, as one interface: production passes the native bindings (`systemKernel`), tests a
 * model of a kernel that can fail or crash between any two calls. All calls are synchronous, act on the network
 * namespace of the calling thread, and throw VmnError.
 */
export interface Kernel {
  /** Tags of the programs this build carries. */
  programTags(): { fromVm: string; toVm: string };

  links(): Link[];
  linkByName(name: string): Link | null;
  /** `master: null`: it leaves the bridge, or whatever it is a part of. */
  setLink(
    ifindex: number,
    change: { mac?: string; alias?: string; up?: boolean; mtu?: number; master?: null },
  ): void;
  deleteLink(ifindex: number): void;

  /** Makes a tap that vanishes with its descriptor. VMN_TAP_IN_USE when the name exists. */
  createTap(name: string): { fd: number; ifindex: number };
  persistTap(fd: number): void;
  /** Takes hold of an existing tap as QEMU would. VMN_TAP_IN_USE when somebody else holds it. */
  openTap(name: string): number;
  closeTap(fd: number): void;

  /** Attaches deny-all on both hooks of a link that has no filter, and pins; stale pins are removed first. */
  attachFilter(pinDir: string, ifindex: number): ReadBack;
  /**
   * Puts fresh programs with `policy` in place of the attached ones, by link update; attaches what is missing, closed
   * first, and overtakes what runs before ours.
   */
  replaceFilter(pinDir: string, ifindex: number, policy: Uint8Array | null): ReadBack;
  readBack(pinDir: string): ReadBack;
  /** One atomic commit for both hooks; null is deny-all. */
  writePolicy(pinDir: string, policy: Uint8Array | null): void;
  /** How often the VM reached its threshold of violations, counted since the maps of the filter were made. */
  violations(pinDir: string): { crossings: bigint };
  /** What it saw of the tunnel; null: it does not look. */
  tunnel(pinDir: string): TunnelSigns | null;
  /** Frames since the filter was attached, by direction and reason. Some hundred system calls. */
  counters(pinDir: string): CounterLine[];
  /** A replacement was begun and did not end. */
  isReplacing(pinDir: string): boolean;
  /** Names of the folders under the bpffs root. */
  listPins(root: string): string[];
  /**
   * Refuses while a filter is attached, unless `attachedToo`: then it is detached, wherever that can be reached. Succeeds when there is
   * nothing.
   */
  removePins(pinDir: string, options?: { attachedToo?: boolean }): void;
  /**
   * Gives the pins of a filter that is attached elsewhere by now another name, which no attachment has; it goes on there. They are
   * listed by that name from then on.
   */
  setPinsAside(pinDir: string): void;
  /** Removes what the attachments shared, the event buffer and the folder itself, once no attachment is left. */
  removeSharedPins(root: string): void;

  /** The routes that carry our protocol number. */
  managedRoutes(): HostRoute[];
  /** The host's other IPv4 routes, default routes left out. */
  foreignRoutes(): HostRoute[];
  /** CIDRs of what this host takes for itself: its addresses, the broadcasts of its networks, ranges that are routed to itself. */
  ownNetworks(): string[];
  addRoute(address: string, ifindex: number): void;
  deleteRoute(address: string, ifindex: number): void;
  routeTo(address: string): RouteAnswer | null;

  /** Permanent entries only. */
  neighbours(ifindex: number): { address: string; mac: string }[];
  setNeighbour(ifindex: number, address: string, mac: string): void;
  deleteNeighbour(ifindex: number, address: string): void;

  /** Value of a file under /proc/sys, trimmed; null when there is no such file. `path` is relative to /proc/sys. */
  readSetting(path: string): string | null;
  writeSetting(path: string, value: string): void;

  /** Start time of a process in clock ticks since boot, or null when there is none. */
  processStart(pid: number): string | null;
  /** How long ago a process with this start time was started, ms. */
  processAgeMs(startTicks: string): number;
  /** Processes of this network namespace that hold the tap open. Not to be asked often: it reads all of /proc. */
  tapHolders(tap: string): TapHolder[];
}
