import type { Cidr } from '../../api/v1alpha1/cidr.ts';
import type { Store } from '../../kube/store/store.ts';
import type { HostNode, Network, NetworkClass } from '../kinds.ts';
import { compare } from './age.ts';
import type { AttachmentView } from './attachment-view.ts';
import type { SelectedVm } from './binding.ts';
import type { HostLeases } from './host-leases.ts';
import type { HostState } from './host-health.ts';
import { Owners } from './owners.ts';
import type { VmIndex } from './vm-index.ts';

/** Indexes that the store of networks must have. */
export const NETWORK_INDEXERS = {
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
  /** Whoever hears of networks, classes and attachments tells it (triggers.ts). */
  readonly owners: Owners;

  constructor(parts: FleetParts) {
    this.parts = parts;
    this.owners = new Owners(parts);
  }

  classOf(network: Network): NetworkClass | undefined {
    return this.owners.classOf(network);
  }

  /** VMs that a network selects, by name and host. One that is to go and holds nothing there any more counts for nobody. */
  selected(network: Network): SelectedVm[] {
    return this.owners
      .selectable(network)
      .filter((reported) => this.owners.selects(network, reported))
      .flatMap((reported) => {
        const owner = this.owners.of(reported);
        return owner === null ? [] : [{ ...reported, owner }];
      })
      .sort((a, b) => compare(a.vm.name, b.vm.name) || compare(a.nodeName, b.nodeName));
  }

  /** As the caches tell: whether one that is `unknown` is `gone` only the server knows. */
  hostState(nodeName: string): HostState {
    const node = this.parts.nodes.get(nodeName);
    // Made first, and told later: in between an agent has said nothing of its VMs.
    // A server-side apply of an empty list leaves none, and the count.
    const { virtualMachines, virtualMachineCount } = node?.status ?? {};
    const isTold = virtualMachines !== undefined || virtualMachineCount !== undefined;
    const health = isTold ? this.parts.leases.healthOf(nodeName) : 'unknown';
    return { health, since: node?.metadata.creationTimestamp, sealingKey: node?.status?.sealingKey };
  }
}
