import { isVmnError } from '../../lib/errors.ts';
import type { Closable, Link, Machine, NetnsOrigin } from './machine.ts';

/*
 * The network namespaces in which taps of VMs may be, each with its links. They are read when the kernel says that they
 * changed, and all of them at the slow look. To watch a namespace keeps it alive, with its interfaces: so only those are
 * watched that have a name (which keeps them too) or in which a VM runs, and each is let go as soon as that ends.
 */

type NamespacesMachine = Pick<Machine, 'ownNetns' | 'openNetns' | 'closeNetns' | 'linksIn' | 'watchLinksIn'>;

interface Namespace {
  /** Null: our own, or it could not be opened. */
  readonly fd: number | null;
  readonly watch: Closable | null;
  links: readonly Link[];
  /** May have changed since it was read. */
  stale: boolean;
  /** Was read since the last refresh(): to read it once more would tell the same. */
  fresh: boolean;
  /** Why it cannot be read; null: it can. */
  problem: string | null;
}

/** More than any host has VMs. */
export const MOST_NAMESPACES = 2048;

export class Namespaces {
  /** Inode of the one we are in. */
  readonly own: number;
  readonly #machine: NamespacesMachine;
  readonly #onChange: () => void;
  readonly #namespaces = new Map<number, Namespace>();

  constructor(machine: NamespacesMachine, onChange: () => void) {
    this.#machine = machine;
    this.#onChange = onChange;
    this.own = machine.ownNetns();
  }

  /** Takes hold of those that are wanted, by inode, and lets go of all others but our own. */
  keep(wanted: ReadonlyMap<number, NetnsOrigin>): void {
    for (const [inode, namespace] of this.#namespaces) {
      if (inode === this.own || wanted.has(inode)) continue;
      this.#release(namespace);
      this.#namespaces.delete(inode);
    }
    if (!this.#namespaces.has(this.own)) this.#namespaces.set(this.own, this.#take(this.own, null));
    for (const [inode, origin] of wanted) {
      if (this.#namespaces.size >= MOST_NAMESPACES) return;
      if (!this.#namespaces.has(inode)) this.#namespaces.set(inode, this.#take(inode, origin));
    }
  }

  /** All of them are to be read anew, and what could not be opened is tried again. */
  spoil(): void {
    for (const [inode, namespace] of this.#namespaces) {
      namespace.stale = true;
      if (namespace.problem === null) continue;
      this.#release(namespace);
      this.#namespaces.delete(inode);
    }
  }

  /** Reads those that may have changed. */
  refresh(): void {
    for (const [inode, namespace] of this.#namespaces) {
      namespace.fresh = false;
      if (namespace.stale && namespace.watch !== null) this.#read(inode, namespace);
    }
  }

  /** The interface of this name; null when there is none, or several. What is not found is looked for once more. */
  find(inode: number, name: string): Link | null {
    const namespace = this.#namespaces.get(inode);
    if (namespace === undefined) return null;
    const link = onlyOne(namespace.links, name);
    if (link !== null || namespace.watch === null || namespace.fresh) return link;
    // Renamed, moved or made a moment ago: the event is still on its way.
    this.#read(inode, namespace);
    return onlyOne(namespace.links, name);
  }

  problemOf(inode: number): string | null {
    return this.#namespaces.get(inode)?.problem ?? null;
  }

  has(inode: number): boolean {
    return this.#namespaces.has(inode);
  }

  /** Whether its links were read by the last refresh(), or since. */
  wasRead(inode: number): boolean {
    return this.#namespaces.get(inode)?.fresh === true;
  }

  /** Taps that somebody holds open, wherever they are. */
  heldTaps(): { readonly netns: number; readonly link: Link }[] {
    return [...this.#namespaces].flatMap(([netns, { links }]) =>
      links.filter(isHeld).map((link) => ({ netns, link })),
    );
  }

  /** Whether somebody holds a tap in a namespace that is not watched. */
  hasHeldTaps(origin: NetnsOrigin): boolean {
    let fd: number | null = null;
    try {
      ({ fd } = this.#machine.openNetns(origin));
      return this.#machine.linksIn(fd).some(isHeld);
    } catch {
      // Gone, or not to be looked into: that is said of those where VMs are known to be.
      return false;
    } finally {
      if (fd !== null) this.#machine.closeNetns(fd);
    }
  }

  problems(): string[] {
    return [...this.#namespaces.values()].flatMap(({ problem }) => problem ?? []);
  }

  /** Idempotent. */
  close(): void {
    for (const namespace of this.#namespaces.values()) this.#release(namespace);
    this.#namespaces.clear();
  }

  #take(inode: number, origin: NetnsOrigin | null): Namespace {
    let fd: number | null = null;
    try {
      if (origin !== null) {
        const opened = this.#machine.openNetns(origin);
        fd = opened.fd;
        // What was there has gone meanwhile, and its name or process is another's.
        if (opened.inode !== inode) throw new Error('it is another one by now');
      }
      const namespace: Namespace = {
        fd,
        watch: this.#machine.watchLinksIn(fd, () => {
          namespace.stale = true;
          this.#onChange();
        }),
        links: [],
        stale: true,
        fresh: false,
        problem: null,
      };
      return namespace;
    } catch (error) {
      if (fd !== null) this.#machine.closeNetns(fd);
      return {
        fd: null,
        watch: null,
        links: [],
        stale: true,
        fresh: false,
        problem: problemWith(inode, error),
      };
    }
  }

  #read(inode: number, namespace: Namespace): void {
    // Before reading: what changes meanwhile makes it stale again.
    namespace.stale = false;
    namespace.fresh = true;
    try {
      namespace.links = this.#machine.linksIn(namespace.fd);
      namespace.problem = null;
    } catch (error) {
      namespace.links = [];
      namespace.problem = problemWith(inode, error);
    }
  }

  #release({ watch, fd }: Namespace): void {
    watch?.close();
    if (fd !== null) this.#machine.closeNetns(fd);
  }
}

/** A tap has carrier while somebody has it open. What has no address carries no frames. */
function isHeld({ kind, mac, carrier }: Link): boolean {
  return kind === 'tun' && mac !== '' && carrier;
}

function onlyOne(links: readonly Link[], name: string): Link | null {
  const [link, another] = links.filter((one) => one.name === name);
  return link === undefined || another !== undefined ? null : link;
}

function problemWith(inode: number, error: unknown): string {
  const place = `network namespace net:[${inode}] cannot be read`;
  if (isVmnError(error) && error.code === 'VMN_CAPABILITY') return `${place}. ${error.remedy}`;
  return `${place}: ${error instanceof Error ? error.message : String(error)}`;
}
