import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { isVmnError, VmnError } from '../../lib/errors.ts';
import type { Closable } from '../../native/addon.ts';
import { inNetworkNamespace, ownNetworkNamespace, startThreadsHere } from '../../native/network-namespace.ts';
import { watchNftables } from '../../native/nftables-watch.ts';
import { watchLinks } from '../../native/rtnetlink.ts';
import { errnoOf } from './errno.ts';
import { eachInside, type Inside } from './inside.ts';
import type { Kernel } from './kernel.ts';
import { nftProgram } from './nft.ts';
import type { Site, Sites } from './site.ts';
import { systemKernel } from './system-kernel.ts';

/** The real ones: "own" is the network namespace of the calling thread. */
export function systemSites(kernel: Kernel = systemKernel(), nftPath = 'nft'): Sites {
  startThreadsHere();
  const ownId = ownNetworkNamespace();
  const own: Site = { id: null, kernel, nft: nftProgram(nftPath), watchLinks, watchGuard: watchNftables };
  const opened = new Map<string, ForeignSite>();
  const keep = (ids: ReadonlySet<string>): void => {
    for (const [id, site] of opened) {
      if (ids.has(id)) continue;
      opened.delete(id);
      site.close();
    }
  };
  return {
    own,
    open(id, pid) {
      if (id === ownId) return own;
      const known = opened.get(id);
      if (known !== undefined) return known;
      const entrance = enter(id, pid);
      if ('reason' in entrance) return entrance;
      const site = new ForeignSite(id, entrance.fd, kernel, nftPath);
      opened.set(id, site);
      return site;
    },
    keep,
    close: () => keep(new Set()),
  };
}

/** Held by a descriptor, so that neither a pid nor an inode that changes hands leads elsewhere while it is open. */
class ForeignSite implements Site {
  readonly id: string;
  readonly kernel: Kernel;
  readonly nft: Site['nft'];
  readonly #inside: Inside;
  /** Each holds the namespace too. */
  readonly #watches = new Set<Closable>();
  #fd: number | null;

  constructor(id: string, fd: number, kernel: Kernel, nftPath: string) {
    this.id = id;
    this.#fd = fd;
    this.#inside = (call) => inNetworkNamespace(this.#descriptor(), call);
    this.kernel = {
      ...eachInside(this.#inside, kernel),
      // While it is away our thread, too, looks as if it were of that namespace; the taps that it holds are not of it.
      tapHolders: (tap) =>
        this.#inside(() => kernel.tapHolders(tap)).filter(({ pid }) => pid !== process.pid),
    };
    this.nft = nftProgram(nftPath, this.#inside);
  }

  watchLinks(onChange: () => void): Closable {
    return this.#watch(() => watchLinks(onChange));
  }

  watchGuard(onChange: () => void): Closable {
    return this.#watch(() => watchNftables(onChange));
  }

  /** Idempotent. */
  close(): void {
    for (const watch of this.#watches) watch.close();
    this.#watches.clear();
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  #watch(start: () => Closable): Closable {
    // The socket stays where it was opened.
    const watch = this.#inside(start);
    this.#watches.add(watch);
    return {
      close: () => {
        this.#watches.delete(watch);
        watch.close();
      },
    };
  }

  #descriptor(): number {
    if (this.#fd !== null) return this.#fd;
    const remedy = 'No VM is known to be there any more; when one comes it is entered anew.';
    throw new VmnError('VMN_NETLINK', {
      attempted: 'work in a network namespace that was let go',
      on: this.id,
      remedy,
    });
  }
}

/** A descriptor of the namespace, proven by entering it once. */
function enter(id: string, pid: number): { readonly fd: number } | { readonly reason: string } {
  const place = `network namespace ${id} cannot be entered`;
  let fd: number;
  try {
    fd = openSync(`/proc/${pid}/ns/net`, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return { reason: `${place}${whyNotOpened(pid, errnoOf(error))}` };
  }
  try {
    const found = `net:[${fstatSync(fd).ino}]`;
    if (found === id) {
      inNetworkNamespace(fd, () => undefined);
      return { fd };
    }
    closeSync(fd);
    return { reason: `${place}: pid ${pid} is in ${found} by now.` };
  } catch (error) {
    closeSync(fd);
    if (!isVmnError(error)) throw error;
    const why = error.code === 'VMN_CAPABILITY' ? '' : `: ${error.message}`;
    return { reason: `${place}${why}. ${error.remedy}` };
  }
}

function whyNotOpened(pid: number, errno: string | null): string {
  if (errno === 'ENOENT' || errno === 'ESRCH') return `: pid ${pid} has ended.`;
  const remedy = 'Run as root or with CAP_SYS_PTRACE: a namespace is found by a process that is in it.';
  return errno === 'EACCES' || errno === 'EPERM' ? `. ${remedy}` : `: pid ${pid}: ${errno ?? 'unknown'}.`;
}
