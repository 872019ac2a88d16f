import { classObjections } from '../../../../src/api/v1alpha1/class-objections.ts';
import { ATTACHMENTS, CLASSES, HOST_NODES, NETWORKS } from '../../../../src/controller/kinds.ts';
import type { Attachment, HostNode, Network, NetworkClass } from '../../../../src/controller/kinds.ts';
import { byAge } from '../../../../src/controller/vmnetwork/age.ts';
import type { SelectedVm } from '../../../../src/controller/vmnetwork/binding.ts';
import { cardKey, cardOf, cardsOf } from '../../../../src/controller/vmnetwork/card.ts';
import { canonicalJson } from '../../../../src/controller/vmnetwork/plan/canonical-json.ts';
import { selects } from '../../../../src/controller/vmnetwork/selection.ts';
import type { ReportedVm } from '../../../../src/controller/vmnetwork/selection.ts';
import type { ModelApi } from './model-api.ts';

/** One network that has an attachment for a VM. */
interface Held {
  /** Its uid. */
  readonly network: string;
  readonly nodeName: string;
}

/** Who holds which VM, by host and VM, and by uuid. */
export type Holders = ReadonlyMap<string, readonly Held[]>;

/** Which network has a card, and where it lets the VM go. */
export interface CardState {
  readonly network: string;
  readonly endpoint: string;
}

/** What the objects come to and who has what, computed in the plainest way from all of them. */
export class Truth {
  readonly #api: ModelApi;

  constructor(api: ModelApi) {
    this.#api = api;
  }

  /** @param held who held which VM when the last change was made; default: who holds it now */
  expected(held: Holders = this.holders()): Map<string, CardState> {
    // Whoever is refused holds nothing any more.
    const accepted = new Set(
      this.#api
        .all<Network>(NETWORKS)
        .flatMap((one) => (this.isRefused(one) ? [] : (one.metadata.uid ?? []))),
    );
    const holders = new Map(
      [...held].map(([key, some]) => [key, some.filter(({ network }) => accepted.has(network))]),
    );
    const cards = new Map<string, CardState>();
    for (const reported of this.vms()) {
      const owner = this.owner(reported, holders);
      if (owner === undefined || this.isRefused(owner)) continue;
      const { namespace = '', name } = owner.metadata;
      const endpoint = canonicalJson(owner.spec.consumerEndpoint);
      for (const card of cardsOf(reported))
        cards.set(cardKey(card), { network: `${namespace}/${name}`, endpoint });
    }
    return cards;
  }

  /** Of those that select it the oldest of whoever holds it, here or else its uuid elsewhere; else the oldest of all. */
  owner(reported: ReportedVm, holders: Holders): Network | undefined {
    const claimants = this.#api
      .all<Network>(NETWORKS)
      .filter((network) => this.selects(network, reported))
      .sort(byAge);
    const { nodeName, vm } = reported;
    const first = (held: readonly Held[] = []) =>
      claimants.find(({ metadata }) => held.some(({ network }) => network === metadata.uid));
    return (
      first(holders.get(vmKey(nodeName, vm.id))) ??
      first(holders.get(vm.uuid ?? '')?.filter((held) => held.nodeName !== nodeName)) ??
      claimants.find(({ metadata }) => metadata.deletionTimestamp === undefined)
    );
  }

  /** Which networks have attachments for which VMs, by host and VM, and by uuid. */
  holders(): Holders {
    const holders = new Map<string, Held[]>();
    for (const attachment of this.#api.all<Attachment>(ATTACHMENTS)) {
      const { nodeName, vm } = attachment.spec;
      const held = { network: ownerUid(attachment), nodeName };
      for (const key of [vmKey(nodeName, vm.id), vm.uuid ?? []].flat())
        holders.set(key, [...(holders.get(key) ?? []), held]);
    }
    return holders;
  }

  /** All VMs that a network selects, with their owners, by name and host. */
  selected(network: Network): SelectedVm[] {
    const holders = this.holders();
    return this.vms()
      .filter((reported) => this.selects(network, reported))
      .flatMap((reported) => {
        const owner = this.owner(reported, holders);
        return owner === undefined ? [] : [{ ...reported, owner }];
      })
      .sort((a, b) => (`${a.vm.name} ${a.nodeName}` < `${b.vm.name} ${b.nodeName}` ? -1 : 1));
  }

  selects(network: Network, reported: ReportedVm): boolean {
    return selects(network, reported, this.classOf(network)?.spec.vmOwnership ?? 'NamespaceIfReported');
  }

  /** What there is. */
  actual(): Map<string, CardState> {
    return new Map(
      this.#api.all<Attachment>(ATTACHMENTS).map((attachment) => {
        const network = `${attachment.metadata.namespace ?? ''}/${attachment.spec.policy.network}`;
        return [
          cardKey(cardOf(attachment)),
          { network, endpoint: canonicalJson(attachment.spec.policy.consumerEndpoint) },
        ];
      }),
    );
  }

  vms(): ReportedVm[] {
    return this.#api
      .all<HostNode>(HOST_NODES)
      .flatMap((node) =>
        (node.status?.virtualMachines ?? []).map((vm) => ({ nodeName: node.metadata.name, vm })),
      );
  }

  classOf(network: Network): NetworkClass | undefined {
    return this.#api.find<NetworkClass>(CLASSES, network.spec.className);
  }

  isRefused(network: Network): boolean {
    const found = this.classOf(network);
    return found === undefined || classObjections(network.spec, found.spec).length > 0;
  }
}

export const ownerUid = ({ metadata }: Attachment): string => metadata.ownerReferences?.[0]?.uid ?? '';

export const vmKey = (nodeName: string, vmId: string): string => `${nodeName}\n${vmId}`;
