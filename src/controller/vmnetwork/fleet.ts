import type { Cidr } from '../../api/v1alpha1/cidr.ts';
import { keyOf } from '../../kube/resource.ts';
import type { Store } from '../../kube/store/store.ts';
import type { HostNode, Network, NetworkClass } from '../kinds.ts';
import { compare } from './age.ts';
import type { AttachmentView } from './attachment-view.ts';
import { ownerOf } from './binding.ts';
import type { Claimant, SelectedVm } from './binding.ts';
import type { HostLeases } from './host-leases.ts';
import type { HostHealth, HostState } from './host-health.ts';
import { ownershipOf } from './judgement.ts';
import { selectorKeys, selects, vmKeys } from './selection.ts';
import type { ReportedVm } from './selection.ts';
import type { VmIndex } from './vm-index.ts';

/** Indexes that the store of networks must have. */
export const NETWORK_INDEXERS = {
  selector: selectorKeys,
  class: (network: Network) => [network.spec?.className ?? 'default'],
};

export interface FleetParts {
  readonly networks: Store<Network>;
  readonly classes: Store<NetworkClass>;
  readonly nodes: Store<HostNode>;
  readonly vms: VmIndex;
  readonly attachments: AttachmentView;
  readonly leases: Pick<HostLeases, 'healthOf'>;
  /** This cluster's own ranges, for a class whose status does not tell them yet. */
  readonly clusterRanges: () => readonly Cidr[];
}

/** All networks, VMs and hosts as the caches show them, asked by what belongs to one of them. */
export class Fleet {
  readonly parts: FleetParts;
  /** Hosts whose VMNetworkNode the server said is not there. */
  readonly #gone = new Set<string>();

  constructor(parts: FleetParts) {
    this.parts = parts;
  }

  classOf(network: Network): NetworkClass | undefined {
    return this.parts.classes.get(network.spec?.className ?? 'default');
  }

  /** Networks that select a VM, whether or not they own it. */
  claimants(reported: ReportedVm): Claimant[] {
    const { networks, attachments } = this.parts;
    const found = new Map<string, Network>();
    for (const key of vmKeys(reported.vm)) {
      for (const network of networks.byIndex('selector', key)) found.set(keyOf(network), network);
    }
    return [...found]
      .filter(([, network]) => selects(network, reported, ownershipOf(this.classOf(network))))
      .map(([key, network]) => {
        return { network, holds: attachments.holds(key, reported.nodeName, reported.vm.id) };
      });
  }

  /** VMs that a network selects, by name and host. One that is to go and holds nothing there any more counts for nobody. */
  selected(network: Network): SelectedVm[] {
    const ownership = ownershipOf(this.classOf(network));
    return this.parts.vms
      .withKeys(selectorKeys(network))
      .filter((reported) => selects(network, reported, ownership))
      .flatMap((reported) => {
        const owner = ownerOf(this.claimants(reported));
        return owner === null ? [] : [{ ...reported, owner }];
      })
      .sort((a, b) => compare(a.vm.name, b.vm.name) || compare(a.nodeName, b.nodeName));
  }

  hostState(nodeName: string): HostState {
    const node = this.parts.nodes.get(nodeName);
    return { health: this.#health(nodeName, node), sealingKey: node?.status?.sealingKey };
  }

  /** The server said that there is no such VMNetworkNode. */
  declareGone(nodeName: string): void {
    this.#gone.add(nodeName);
  }

  /** It is there (again). */
  appeared(nodeName: string): void {
    this.#gone.delete(nodeName);
  }

  #health(nodeName: string, node: HostNode | undefined): HostHealth {
    if (node !== undefined) return this.parts.leases.healthOf(nodeName);
    return this.#gone.has(nodeName) ? 'gone' : 'unknown';
  }
}
