import type { Closable } from '../../native/addon.ts';
import type { Kernel } from './kernel.ts';
import type { Nft } from './nft.ts';

/** A network namespace that holds interfaces of VMs, and what is asked of the machine there. */
export interface Site {
  /** `net:[inode]`; null: the agent's own. */
  readonly id: string | null;
  /** Acts there; throws VMN_NETLINK once the site is closed. What no namespace has to itself (pins, processes) is the host's. */
  readonly kernel: Kernel;
  readonly nft: Nft;
  /** Calls back when links, IPv4 routes or routing rules there may have changed. Ends with the site, at the latest. */
  watchLinks(onChange: () => void): Closable;
  /** Calls back when the nftables rule set there may have changed. Ends with the site, at the latest. */
  watchGuard(onChange: () => void): Closable;
}

/**
 * The sites of this host. An open one keeps its namespace alive, with the interfaces in it: it is to be let go when no VM
 * is there any more.
 */
export interface Sites {
  readonly own: Site;
  /**
   * The namespace of that id, entered through a process that is in it or holds a tap there. One that is open already is given again, whoever
   * the process is. A reason, with what to do, when it cannot be entered: VMs there cannot be closed by us.
   */
  open(id: string, pid: number): Site | { readonly reason: string };
  /** Closes all but these, and never our own. */
  keep(ids: ReadonlySet<string>): void;
  /** Closes all of them but our own. Idempotent. */
  close(): void;
}
