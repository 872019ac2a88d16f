import type { HostVm } from '../discovery/directory.ts';
import type { Kernel } from '../host/kernel.ts';
import type { Site, Sites } from '../host/site.ts';

/** The network namespaces, besides the agent's own, that VMs of this host are in. */
export interface OpenSites {
  /** By id. */
  readonly open: ReadonlyMap<string, Site>;
  /** Of them, those that were entered for this pass: nobody told of what happened there until now. */
  readonly entered: ReadonlySet<string>;
  /** No VM is there any more: for this pass only, to leave nothing behind. By id. */
  readonly left: ReadonlyMap<string, Site>;
  /** Why those of the others cannot be entered, with what to do, by id. */
  readonly closed: ReadonlyMap<string, string>;
}

/** Who gives a pass its sites. */
export interface SiteKeeper {
  /** Enters where VMs are. */
  of(vms: readonly HostVm[]): OpenSites;
  /** The pass is over: lets go of where no VM is in any more. */
  letGo(): void;
}

/** Where nothing is known of namespaces: cards there cannot be filtered. */
export const NO_SITES: SiteKeeper = {
  of: (vms) => ({
    open: new Map(),
    entered: new Set(),
    left: new Map(),
    closed: new Map([...placesOf(vms).keys()].map((id) => [id, `network namespace ${id} is not entered`])),
  }),
  letGo: () => undefined,
};

/** Keeps sites open while VMs are in them, and tells when something changes there. */
export class WatchedSites implements SiteKeeper {
  readonly #sites: Sites;
  readonly #onChange: () => void;
  readonly #watched = new Set<Site>();
  /** As of the last pass, by id. */
  #open: ReadonlyMap<string, Site> = new Map();
  #problems: readonly string[] = [];

  constructor(sites: Sites, onChange: () => void) {
    this.#sites = sites;
    this.#onChange = onChange;
  }

  of(vms: readonly HostVm[]): OpenSites {
    const open = new Map<string, Site>();
    const closed = new Map<string, string>();
    for (const [id, pids] of placesOf(vms)) {
      for (const pid of pids) {
        if (open.has(id)) break;
        const site = this.#sites.open(id, pid);
        if ('reason' in site) closed.set(id, site.reason);
        else open.set(id, site);
      }
      if (open.has(id)) closed.delete(id);
    }
    this.#problems = [...closed.values()].sort();
    const left = new Map([...this.#open].filter(([id]) => !open.has(id)));
    const entered = new Set([...open.keys()].filter((id) => !this.#open.has(id)));
    this.#open = open;
    for (const site of open.values()) this.#watch(site);
    return { open, entered, left, closed };
  }

  letGo(): void {
    this.#sites.keep(new Set(this.#open.keys()));
    for (const site of this.#watched)
      if (site.id === null || this.#open.get(site.id) !== site) this.#watched.delete(site);
  }

  /** Where VMs are that cannot be closed by us, as of the last pass; each a sentence. */
  problems(): readonly string[] {
    return this.#problems;
  }

  /** Of a namespace that is open now. */
  kernelOf(id: string): Kernel | null {
    return [...this.#watched].find((site) => site.id === id)?.kernel ?? null;
  }

  /** Idempotent. */
  close(): void {
    this.#watched.clear();
    this.#open = new Map();
    this.#sites.close();
  }

  /** They end with the site. */
  #watch(site: Site): void {
    if (this.#watched.has(site)) return;
    site.watchLinks(this.#onChange);
    site.watchGuard(this.#onChange);
    this.#watched.add(site);
  }
}

/** Namespaces of cards, each with the processes that hold one there. */
function placesOf(vms: readonly HostVm[]): Map<string, Set<number>> {
  const places = new Map<string, Set<number>>();
  for (const { cards } of vms)
    for (const { link, pid } of cards)
      if (link !== null && link.netns !== null && pid !== null)
        places.set(link.netns, (places.get(link.netns) ?? new Set()).add(pid));
  return places;
}
