import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { systemClock } from '../../lib/clock.ts';
import { isVmnError, VmnError } from '../../lib/errors.ts';
import type { Closable } from '../../native/addon.ts';
import { openTunNetns, tunFiles } from '../../native/foreign-process.ts';
import { inNetworkNamespace, ownNetworkNamespace, startThreadsHere } from '../../native/network-namespace.ts';
import { nftablesGeneration, watchNftables } from '../../native/nftables-watch.ts';
import { watchLinks } from '../../native/rtnetlink.ts';
import { errnoOf } from './errno.ts';
import { eachInside, here, type Inside } from './inside.ts';
import type { Kernel } from './kernel.ts';
import { nftProgram, sparingNft } from './nft.ts';
import type { Site, Sites } from './site.ts';
import { systemKernel } from './system-kernel.ts';

/** The real ones: "own" is the network namespace of the calling thread. */
export function systemSites(kernel: Kernel = systemKernel(), nftPath = 'nft'): Sites {
  startThreadsHere();
  const ownId = ownNetworkNamespace();
  const own: Site = { id: null, kernel, nft: nftOf(nftPath, here), watchLinks, watchGuard: watchNftables };
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

function nftOf(path: string, inside: Inside): Site['nft'] {
  return sparingNft(nftProgram(path, inside), () => inside(nftablesGeneration), systemClock);
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
    this.nft = nftOf(nftPath, this.#inside);
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
  let fd: number | null = null;
  try {
    fd = wayOf(pid, id) ?? wayOfTap(pid, id);
    if (fd === null) return { reason: `${place}: pid ${pid} neither is in it nor holds a tap there by now.` };
    inNetworkNamespace(fd, () => undefined);
    return { fd };
  } catch (error) {
    if (fd !== null) closeSync(fd);
    if (!isVmnError(error)) {
      if (errnoOf(error) === null) throw error;
      return { reason: `${place}${whyNotOpened(pid, errnoOf(error))}` };
    }
    const why = error.code === 'VMN_CAPABILITY' ? '' : `: ${error.message}`;
    return { reason: `${place}${why}. ${error.remedy}` };
  }
}

/** By the process being in it; null: it is in another. */
function wayOf(pid: number, id: string): number | null {
  return ifIts(openSync(`/proc/${pid}/ns/net`, constants.O_RDONLY | constants.O_NONBLOCK), id);
}

/** By a tap there that the process holds: whoever was handed one may be elsewhere itself. */
function wayOfTap(pid: number, id: string): number | null {
  const tap = tunFiles(pid).find(({ netns }) => `net:[${netns}]` === id);
  return tap === undefined ? null : ifIts(openTunNetns(pid, tap.fd), id);
}

/** Closes it when it is another's. */
function ifIts(fd: number, id: string): number | null {
  if (`net:[${fstatSync(fd).ino}]` === id) return fd;
  closeSync(fd);
  return null;
}

function whyNotOpened(pid: number, errno: string | null): string {
  if (errno === 'ENOENT' || errno === 'ESRCH') return `: pid ${pid} has ended.`;
  const remedy = 'Run as root or with CAP_SYS_PTRACE: a namespace is found by a process that is in it.';
  return errno === 'EACCES' || errno === 'EPERM' ? `. ${remedy}` : `: pid ${pid}: ${errno ?? 'unknown'}.`;
}
