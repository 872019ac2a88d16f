import { isTapName } from '../wiring/identity.ts';
import { servedKey } from '../userspace/engine-view.ts';
import type { Engine } from '../wiring/verify.ts';
import type { HostCard, HostVm, VmDirectory } from './directory.ts';

/** Every VM of this host: those on taps that we made, as their records tell, and all others, as they were found. */
export class AllVms implements VmDirectory {
  readonly #own: VmDirectory;
  readonly #found: VmDirectory;
  readonly #engine: Engine;
  readonly #served: () => ReadonlySet<string>;
  /** As it was made of these two lists. */
  #merged: {
    readonly own: readonly HostVm[];
    readonly found: readonly HostVm[];
    readonly served: ReadonlySet<string>;
    readonly vms: readonly HostVm[];
  } | null = null;

  /**
   * @param engine what filters a card on a tap of others, here
   * @param served the cards that lead to userspace engines of ours; see Engines
   */
  constructor(own: VmDirectory, found: VmDirectory, engine: Engine, served: () => ReadonlySet<string>) {
    this.#served = served;
    this.#own = own;
    this.#found = found;
    this.#engine = engine;
  }

  list(): readonly HostVm[] {
    const [own, found, served] = [this.#own.list(), this.#found.list(), this.#served()];
    const before = this.#merged;
    if (before?.own !== own || before.found !== found || before.served !== served)
      this.#merged = { own, found, served, vms: merge(own, found, this.#engine, served) };
    return this.#merged?.vms ?? [];
  }

  problems(): readonly string[] {
    return [...this.#own.problems(), ...this.#found.problems()];
  }

  onChange(handler: () => void): void {
    this.#own.onChange(handler);
    this.#found.onChange(handler);
  }

  start(): void {
    this.#own.start();
    this.#found.start();
  }

  close(): void {
    this.#own.close();
    this.#found.close();
  }
}

/**
 * A VM on our taps is known by the name that its tap was made for. If it was found by that name with cards elsewhere, too, it is
 * one VM. A card on a tap of ours is told by its record alone. Pure.
 */
export function merge(
  own: readonly HostVm[],
  found: readonly HostVm[],
  engine: Engine,
  served: ReadonlySet<string> = new Set(),
): HostVm[] {
  const byId = new Map(own.map((vm) => [vm.reported.id, vm]));
  for (const vm of found) {
    const others = vm.cards.filter((card) => !isOnOwnTap(card) && !isServed(card, served));
    if (others.length === 0 && vm.cards.length > 0) continue;
    const rest = withEngine(others.length === vm.cards.length ? vm : withCards(vm, others), engine);
    const known = byId.get(vm.reported.id);
    byId.set(vm.reported.id, known === undefined ? rest : joined(known, rest));
  }
  return [...byId.values()].sort((a, b) => (a.reported.id < b.reported.id ? -1 : 1));
}

/** By its name: discovery asks whose a tap is, and tells nothing of ours but the VM's own view. */
function isOnOwnTap({ link }: HostCard): boolean {
  return link !== null && link.netns === null && isTapName(link.name);
}

/** Its process is at the guest's end of an engine that serves this card. */
function isServed({ mac, pid, startTicks }: HostCard, served: ReadonlySet<string>): boolean {
  return pid !== null && startTicks !== null && served.has(servedKey(mac, pid, startTicks));
}

function withCards(vm: HostVm, cards: readonly HostCard[]): HostVm {
  const macs = new Set(cards.map(({ mac }) => mac));
  const interfaces = vm.reported.interfaces.filter(({ mac }) => macs.has(mac));
  return { reported: { ...vm.reported, interfaces }, cards };
}

function withEngine(vm: HostVm, engine: Engine): HostVm {
  const interfaces = vm.reported.interfaces.map((card) =>
    card.unsupported === undefined ? { ...card, engine } : card,
  );
  return { ...vm, reported: { ...vm.reported, interfaces } };
}

function joined(own: HostVm, { reported, cards }: HostVm): HostVm {
  const taken = new Set(own.cards.map(({ mac }) => mac));
  const interfaces = reported.interfaces.filter(({ mac }) => !taken.has(mac));
  return {
    reported: {
      ...own.reported,
      interfaces: [...own.reported.interfaces, ...interfaces].slice(0, MOST_INTERFACES),
    },
    cards: [...own.cards, ...cards],
  };
}

/** Bound of the API. */
const MOST_INTERFACES = 16;
