import { HOST_NODES, NETWORKS } from '../../../../src/controller/kinds.ts';
import type { Attachment, HostNode, Network } from '../../../../src/controller/kinds.ts';
import type { ModelApi } from './model-api.ts';
import type { ModelProcess } from './model-process.ts';
import { ownerUid, vmKey } from './truth.ts';
import type { Truth } from './truth.ts';

type Vm = NonNullable<NonNullable<HostNode['status']>['virtualMachines']>[number];

/**
 * Which attachments there has been a reason to take away, at any time since they were made. Any other stays, whatever
 * networks come to select its VM: who has a VM keeps it.
 */
export class Reasons {
  readonly #api: ModelApi;
  readonly #truth: Truth;
  /** By VM and uid. */
  readonly #attachments = new Map<string, Map<string, Attachment>>();
  readonly #given = new Set<string>();
  readonly #vms = new WeakMap<HostNode, Map<string, Vm>>();

  constructor(api: ModelApi, truth: Truth) {
    this.#api = api;
    this.#truth = truth;
  }

  has({ metadata }: Attachment): boolean {
    return this.#given.has(metadata.uid ?? '');
  }

  /** Of one VM. */
  attachmentsOf({ spec }: Attachment): Attachment[] {
    return [...(this.#attachments.get(vmKey(spec.nodeName, spec.vm.id))?.values() ?? [])];
  }

  /** An attachment is made, changed or gone. */
  note(before: Attachment | undefined, after: Attachment | undefined, process: ModelProcess): void {
    const attachment = after ?? before;
    if (attachment === undefined) return;
    const { uid = '', namespace = '' } = attachment.metadata;
    const { nodeName, vm, policy } = attachment.spec;
    const key = vmKey(nodeName, vm.id);
    const ofVm = this.#attachments.get(key) ?? new Map<string, Attachment>();
    if (after === undefined) ofVm.delete(uid);
    else ofVm.set(uid, after);
    if (ofVm.size === 0) this.#attachments.delete(key);
    else this.#attachments.set(key, ofVm);
    if (before !== undefined || after === undefined) return;
    this.#look(ofVm);
    // What the controller has yet to see may be a reason although it is over by now.
    const { networks, nodes, classes } = process.caches;
    const network = this.#api.find<Network>(NETWORKS, `${namespace}/${policy.network}`);
    const isUnseen =
      networks?.isBehindOn(`${namespace}/${policy.network}`) === true ||
      nodes?.isBehindOn(nodeName) === true ||
      classes?.isBehindOn(network?.spec.className ?? 'default') === true;
    if (isUnseen) this.#given.add(uid);
  }

  /** A network, a class or a host changed. */
  lookAtAll(): void {
    for (const ofVm of this.#attachments.values()) this.#look(ofVm);
  }

  #look(ofVm: ReadonlyMap<string, Attachment>): void {
    const networks = new Set([...ofVm.values()].map(ownerUid));
    for (const [uid, attachment] of ofVm) {
      if (!this.#given.has(uid) && !(networks.size === 1 && this.#isInOrder(attachment)))
        this.#given.add(uid);
    }
  }

  #isInOrder(attachment: Attachment): boolean {
    const { metadata, spec } = attachment;
    const network = this.#api.find<Network>(NETWORKS, `${metadata.namespace ?? ''}/${spec.policy.network}`);
    const vm = this.#vmOf(spec.nodeName, spec.vm.id);
    return (
      network !== undefined &&
      network.metadata.uid === ownerUid(attachment) &&
      network.metadata.deletionTimestamp === undefined &&
      !this.#truth.isRefused(network) &&
      vm?.interfaces?.some(({ mac }) => mac === spec.interface.mac) === true &&
      this.#truth.selects(network, { nodeName: spec.nodeName, vm })
    );
  }

  #vmOf(nodeName: string, vmId: string): Vm | undefined {
    const node = this.#api.find<HostNode>(HOST_NODES, nodeName);
    if (node === undefined) return undefined;
    const known =
      this.#vms.get(node) ?? new Map((node.status?.virtualMachines ?? []).map((vm) => [vm.id, vm]));
    this.#vms.set(node, known);
    return known.get(vmId);
  }
}
