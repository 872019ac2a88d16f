import { keyOf } from '../../kube/resource.ts';
import { MultiMap } from '../../kube/store/multi-map.ts';
import type { Store } from '../../kube/store/store.ts';
import type { Network, NetworkClass } from '../kinds.ts';
import type { HeldVm, Holder } from './attachment-names.ts';
import type { AttachmentView } from './attachment-view.ts';
import { ownerOf } from './binding.ts';
import type { Claimant } from './binding.ts';
import { ownershipOf } from './judgement.ts';
import { NetworkIndex } from './network-index.ts';
import type { PlacedNetwork } from './network-index.ts';
import { cheapest, selectorKeys, selects, uuidKey } from './selection.ts';
import type { ReportedVm } from './selection.ts';
import type { VmIndex } from './vm-index.ts';

/*
 * Theory of operation
 *
 * A label that many VMs and many networks share would cost their product in each pass, if each network asked anew who owns
 * each of its VMs. So the owner is remembered from the first time that somebody asks until something that decides it moves:
 *
 *   the VM       a host reports another one: it is remembered with the object, and that is another one then
 *   a network    comes, goes, or changes its selector, its class or that it is being deleted: `network`
 *   a class      changes whose VMs its networks may have: `networkClass`
 *   who holds    an attachment is on its way, there, or gone: `held`, for the VM itself and those of its uuid elsewhere
 *
 * Each looks again at the VMs that it may be about, and gives those whose owner is another one now. A VM that nobody has asked
 * about is passed over: whoever is to ask was told of the VM when it came, or asks when it comes itself.
 *
 * A network is a tenant's to change, as often as he likes, and may be about all VMs there are. So it is not looked again at its
 * event, which nobody's turn limits, but in its own pass, once for all that changed until then: at what it owns as remembered, for
 * it may lose that, and at what its selector finds, for it may gain that. Until then VMs are remembered as they were; whoever is
 * told a new owner by it has a pass after that.
 */

export interface OwnersParts {
  readonly networks: Store<Network>;
  readonly classes: Store<NetworkClass>;
  readonly vms: VmIndex;
  readonly attachments: AttachmentView;
}

/** Keys are `namespace/name`; null: nobody. */
export interface OwnerChange {
  readonly reported: ReportedVm;
  readonly was: string | null;
  readonly now: string | null;
}

/** Which network owns which VM, as the caches and our own writes have it. */
export class Owners {
  readonly #parts: OwnersParts;
  /** Those that may own a VM without holding it: all that are not being deleted. */
  readonly #index = new NetworkIndex();
  readonly #known = new WeakMap<ReportedVm, string | null>();
  /** The same the other way round. */
  readonly #owned = new MultiMap<ReportedVm>();
  /** Networks that changed, and whose pass has not looked again yet. */
  readonly #changed = new Set<string>();
  /** Nothing is remembered before somebody asks; while the caches fill there is nothing to look at again. */
  #asked = false;

  constructor(parts: OwnersParts) {
    this.#parts = parts;
  }

  /** The network that owns a VM, null if none selects it. */
  of(reported: ReportedVm): Network | null {
    const known = this.known(reported);
    if (known === undefined) return this.#learn(reported);
    if (known === null) return null;
    // Gone: what comes of it is for the pass that reviews it to remember, and to tell.
    return this.#parts.networks.get(known) ?? ownerOf(this.#candidates(reported));
  }

  /** Its key, as it is remembered; undefined if nobody has asked. */
  known(reported: ReportedVm): string | null | undefined {
    return this.#known.get(reported);
  }

  /** VMs that a network may select, whoever owns them: all that it selects and few more. */
  selectable(network: Network): ReportedVm[] {
    return this.#parts.vms.withKeys(this.#keysOf(network));
  }

  classOf(network: Network): NetworkClass | undefined {
    return this.#parts.classes.get(network.spec?.className ?? 'default');
  }

  selects(network: Network, reported: ReportedVm): boolean {
    return selects(network, reported, ownershipOf(this.classOf(network)));
  }

  /**
   * Networks that select at least one of these VMs, each once, without those that are being deleted. `among` is asked
   * first.
   */
  claimants(
    vms: readonly ReportedVm[],
    among: (network: Network) => boolean = () => true,
  ): ReadonlySet<Network> {
    const lists = new Map<readonly PlacedNetwork[], ReportedVm[]>();
    for (const reported of vms) {
      for (const list of this.#index.of(reported)) {
        const some = lists.get(list);
        if (some === undefined) lists.set(list, [reported]);
        else some.push(reported);
      }
    }
    const found = new Set<Network>();
    for (const [list, some] of lists) {
      for (const { key } of list) {
        const network = this.#parts.networks.get(key);
        if (network === undefined || found.has(network) || !among(network)) continue;
        if (some.some((reported) => this.selects(network, reported))) found.add(network);
      }
    }
    return found;
  }

  /**
   * A network came, went or changed. A pass of its own is to `review` it.
   *
   * @param before undefined if it is new; @param after undefined if it is gone
   */
  network(before: Network | undefined, after: Network | undefined): void {
    if (before !== undefined) this.#index.delete(keyOf(before));
    if (after !== undefined) this.#place(after);
    const either = after ?? before;
    if (this.#asked && either !== undefined) this.#changed.add(keyOf(either));
  }

  /** What is remembered of their VMs may be of before they changed. */
  get unreviewed(): ReadonlySet<string> {
    return this.#changed;
  }

  /** Looks again at what a network may have lost or gained since the last time. Costs nothing unless it changed. */
  review(key: string): OwnerChange[] {
    if (!this.#changed.delete(key)) return [];
    const network = this.#parts.networks.get(key);
    const gained = network === undefined ? [] : this.selectable(network);
    return this.#review(new Set([...this.#owned.get(key), ...gained]));
  }

  /** VMs are reported no more, or otherwise. */
  gone(vms: Iterable<ReportedVm>): void {
    for (const reported of vms) {
      const owner = this.known(reported);
      if (typeof owner === 'string') this.#owned.delete(owner, reported);
    }
  }

  /** @param name of the class; @param before undefined if it is new; @param after undefined if it is gone */
  networkClass(
    name: string,
    before: NetworkClass | undefined,
    after: NetworkClass | undefined,
  ): OwnerChange[] {
    if (ownershipOf(before) === ownershipOf(after)) return [];
    const networks = this.#parts.networks.byIndex('class', name);
    for (const network of networks) this.#place(network);
    if (!this.#asked) return [];
    const keys = new Set(networks.flatMap((network) => this.#keysOf(network)));
    return this.#review(this.#parts.vms.withKeys([...keys]));
  }

  /** Who holds a VM may have changed. */
  held({ nodeName, vmId, uuid }: HeldVm): OwnerChange[] {
    if (!this.#asked) return [];
    const { vms } = this.#parts;
    const touched = new Set(uuid === undefined ? [] : vms.withKeys([uuidKey(uuid)]));
    const here = vms.get(nodeName, vmId);
    if (here !== undefined) touched.add(here);
    return this.#review(touched);
  }

  #place(network: Network): void {
    if (network.metadata.deletionTimestamp !== undefined) this.#index.delete(keyOf(network));
    else this.#index.set(network, ownershipOf(this.classOf(network)));
  }

  /** Keys that find all VMs which the network may select; of the parts of its selector the one that finds the fewest. */
  #keysOf(network: Network): readonly string[] {
    const { vms } = this.#parts;
    return cheapest(selectorKeys(network), (keys) => keys.reduce((sum, key) => sum + vms.countOf(key), 0));
  }

  #review(vms: Iterable<ReportedVm>): OwnerChange[] {
    const changes: OwnerChange[] = [];
    for (const reported of vms) {
      const was = this.known(reported);
      if (was === undefined) continue;
      const owner = this.#learn(reported);
      const now = owner === null ? null : keyOf(owner);
      if (now !== was) changes.push({ reported, was, now });
    }
    return changes;
  }

  #learn(reported: ReportedVm): Network | null {
    const owner = ownerOf(this.#candidates(reported));
    const now = owner === null ? null : keyOf(owner);
    const was = this.known(reported);
    if (now !== was) {
      if (typeof was === 'string') this.#owned.delete(was, reported);
      if (now !== null) this.#owned.add(now, reported);
      this.#known.set(reported, now);
    }
    this.#asked = true;
    return owner;
  }

  /** Of those that select a VM the ones that may come first: whoever holds it, else the oldest. */
  #candidates(reported: ReportedVm): Claimant[] {
    const { nodeName, vm } = reported;
    const { attachments } = this.#parts;
    const here = this.#selecting(attachments.holdersOf(nodeName, vm.id), reported);
    if (here.length > 0) return here.map((network) => ({ network, holds: 'here' }));
    const elsewhere =
      vm.uuid === undefined ? [] : this.#selecting(attachments.holdersElsewhere(vm.uuid, nodeName), reported);
    if (elsewhere.length > 0) return elsewhere.map((network) => ({ network, holds: 'elsewhere' }));
    const { networks } = this.#parts;
    const key = this.#index.oldest(reported, (one) => {
      const network = networks.get(one);
      return network !== undefined && this.selects(network, reported);
    });
    const network = key === null ? undefined : networks.get(key);
    return network === undefined ? [] : [{ network, holds: 'nothing' }];
  }

  #selecting(holders: readonly Holder[], reported: ReportedVm): Network[] {
    const { networks } = this.#parts;
    return holders.flatMap(({ key, uid }) => {
      const network = networks.get(key);
      return network?.metadata.uid === uid && this.selects(network, reported) ? [network] : [];
    });
  }
}
