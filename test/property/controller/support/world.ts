import { canonicalJson } from '../../../../src/controller/vmnetwork/plan/canonical-json.ts';
import { vmNetworkClassSchema, vmNetworkSchema } from '../../../../src/api/v1alpha1/index.ts';
import { classObjections } from '../../../../src/api/v1alpha1/class-objections.ts';
import {
  ATTACHMENTS,
  CLASSES,
  CLOSED_FINALIZER,
  HOST_NODES,
  LEASES,
  NETWORKS,
} from '../../../../src/controller/kinds.ts';
import type { Attachment, HostNode, Network, NetworkClass } from '../../../../src/controller/kinds.ts';
import { cardKey, cardOf, cardsOf } from '../../../../src/controller/vmnetwork/card.ts';
import { selects } from '../../../../src/controller/vmnetwork/selection.ts';
import type { ReportedVm } from '../../../../src/controller/vmnetwork/selection.ts';
import { byAge } from '../../../../src/controller/vmnetwork/age.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { ModelApi } from './model-api.ts';
import { ModelProcess } from './model-process.ts';

const API_VERSION = 'vmnetwork.io/v1alpha1';
const AGENT_HASH = 'policyHash';

/** Tenants, a provider, agents and one controller at a time over one model of the API server; checks what must always hold. */
export class World {
  readonly clock = new FakeClock();
  readonly api = new ModelApi(() => this.clock.nowMs());
  process: ModelProcess;
  readonly broken: string[] = [];

  constructor() {
    this.api.onWrite = (before, after, byController) =>
      this.#check(before as never, after as never, byController);
    this.setClass('default', {});
    this.process = new ModelProcess(this.api, this.clock);
  }

  // What people do.

  apply(namespace: string, name: string, spec: unknown): void {
    const parsed = vmNetworkSchema.parse({
      apiVersion: API_VERSION,
      kind: 'VMNetwork',
      metadata: { namespace, name },
      spec,
    });
    const before = this.api.find<Network>(NETWORKS, `${namespace}/${name}`);
    if (before === undefined) this.api.create(NETWORKS, parsed);
    else this.api.update(NETWORKS, { ...before, spec: parsed.spec });
  }

  remove(key: string): void {
    if (this.api.find(NETWORKS, key) !== undefined) this.api.delete(NETWORKS, key);
  }

  /** A tenant takes the finalizer off, which it may: the object is its own. */
  strip(key: string): void {
    const found = this.api.find<Network>(NETWORKS, key);
    if (found === undefined) return;
    this.api.update(NETWORKS, { ...found, metadata: { ...found.metadata, finalizers: [] } });
  }

  setClass(name: string, spec: unknown): void {
    const parsed = vmNetworkClassSchema.parse({
      apiVersion: API_VERSION,
      kind: 'VMNetworkClass',
      metadata: { name },
      spec,
    });
    const before = this.api.find<NetworkClass>(CLASSES, name);
    if (before === undefined) this.api.create(CLASSES, parsed);
    else this.api.update(CLASSES, { ...before, spec: parsed.spec });
  }

  removeClass(name: string): void {
    if (this.api.find(CLASSES, name) !== undefined) this.api.delete(CLASSES, name);
  }

  report(nodeName: string, virtualMachines: unknown[]): void {
    if (this.api.find(HOST_NODES, nodeName) === undefined) {
      this.api.create(HOST_NODES, {
        apiVersion: API_VERSION,
        kind: 'VMNetworkNode',
        metadata: { name: nodeName },
      });
    }
    const node = this.api.find<HostNode>(HOST_NODES, nodeName);
    this.api.update(HOST_NODES, { ...node, status: { virtualMachines } } as never, 'status');
    this.beat(nodeName);
  }

  beat(nodeName: string): void {
    const metadata = { namespace: 'vmnetwork-system', name: `node.${nodeName}` };
    const renewTime = this.clock.now().toISOString();
    const spec = { renewTime, leaseDurationSeconds: 40 };
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
    const before = this.api.find(LEASES, `vmnetwork-system/node.${nodeName}`);
    if (before === undefined) this.api.create(LEASES, lease);
    else this.api.update(LEASES, { ...before, spec });
  }

  removeNode(nodeName: string): void {
    if (this.api.find(HOST_NODES, nodeName) !== undefined) this.api.delete(HOST_NODES, nodeName);
  }

  // What an agent does.

  /** Answers what stands for its node, as the kernel would hold it. */
  answer(nodeName: string): void {
    if (this.api.find(HOST_NODES, nodeName) === undefined) return;
    for (const attachment of this.api.all<Attachment>(ATTACHMENTS)) {
      if (attachment.spec.nodeName !== nodeName) continue;
      const status = agentStatus(attachment);
      if (canonicalJson(status) === canonicalJson(attachment.status ?? null)) continue;
      this.api.update(ATTACHMENTS, { ...attachment, status }, 'status');
    }
  }

  // What the controller goes through.

  restart(): void {
    this.process.kill();
    this.process = new ModelProcess(this.api, this.clock);
  }

  /** Everybody does all there is to do, until nothing moves. What is due only after `withinMs` is left for later. */
  async converge(withinMs = Infinity, mustEndWithin = 5_000): Promise<void> {
    const lastMs = this.clock.monotonicMs() + withinMs;
    for (const node of this.api.all<HostNode>(HOST_NODES)) this.beat(node.metadata.name);
    for (let round = 0; round < mustEndWithin; round += 1) {
      let moved = false;
      for (const cache of Object.values(this.process.caches)) {
        if (cache.behind > 0) moved = true;
        cache.catchUp(Infinity);
      }
      for (const node of this.api.all<HostNode>(HOST_NODES)) {
        const before = this.api.version;
        this.answer(node.metadata.name);
        moved ||= this.api.version > before;
      }
      while (this.process.begin(0)) moved = true;
      await settle();
      for (const request of [...this.process.client.pending]) {
        request.serve();
        moved = true;
        await settle();
      }
      if (moved || !this.process.isIdle) continue;
      const dueMs = this.process.nextDueMs;
      if (dueMs === null || dueMs > lastMs) return;
      // Waits of a minute and less are for what may still move; a grace may take longer.
      for (const node of this.api.all<HostNode>(HOST_NODES)) this.beat(node.metadata.name);
      for (const cache of Object.values(this.process.caches)) cache.catchUp(Infinity);
      await this.clock.advance(Math.max(dueMs - this.clock.monotonicMs(), 0));
      this.process.tick();
    }
    throw new Error(`did not come to rest: ${this.process.failures.slice(-3).map(String).join('; ')}`);
  }

  /** What the objects come to, computed in the plainest way from all of them. */
  expected(): Map<string, { network: string; policy: string }> {
    const networks = this.api.all<Network>(NETWORKS).sort(byAge);
    const cards = new Map<string, { network: string; policy: string }>();
    for (const reported of this.vms()) {
      const owner = networks.find((network) => {
        const ownership = this.classOf(network)?.spec.vmOwnership ?? 'Unknown';
        return network.metadata.deletionTimestamp === undefined && selects(network, reported, ownership);
      });
      if (owner === undefined || this.isRefused(owner)) continue;
      const { namespace = '', name } = owner.metadata;
      const policy = canonicalJson(owner.spec.consumerEndpoint);
      for (const card of cardsOf(reported))
        cards.set(cardKey(card), { network: `${namespace}/${name}`, policy });
    }
    return cards;
  }

  /** What there is. */
  actual(): Map<string, { network: string; policy: string }> {
    return new Map(
      this.api.all<Attachment>(ATTACHMENTS).map((attachment) => {
        const network = `${attachment.metadata.namespace ?? ''}/${attachment.spec.policy.network}`;
        return [
          cardKey(cardOf(attachment)),
          { network, policy: canonicalJson(attachment.spec.policy.consumerEndpoint) },
        ];
      }),
    );
  }

  vms(): ReportedVm[] {
    return this.api
      .all<HostNode>(HOST_NODES)
      .flatMap((node) =>
        (node.status?.virtualMachines ?? []).map((vm) => ({ nodeName: node.metadata.name, vm })),
      );
  }

  classOf(network: Network): NetworkClass | undefined {
    return this.api.find<NetworkClass>(CLASSES, network.spec.className);
  }

  isRefused(network: Network): boolean {
    const found = this.classOf(network);
    return found === undefined || classObjections(network.spec, found.spec).length > 0;
  }

  #check(before: Attachment | undefined, after: Attachment | undefined, byController: boolean): void {
    const kind = (after ?? before)?.kind;
    if (!byController) return;
    if (kind === 'VMNetworkAttachment') this.#checkAttachment(before, after);
    if (kind === 'VMNetwork') this.#checkNetwork(before as never, after as never);
  }

  #checkAttachment(before: Attachment | undefined, after: Attachment | undefined): void {
    if (before === undefined && after !== undefined) {
      const card = cardKey(cardOf(after));
      const others = this.api.all<Attachment>(ATTACHMENTS).filter((item) => cardKey(cardOf(item)) === card);
      if (others.length > 0) {
        const names = others.map(({ metadata }) => metadata.name).join(', ');
        this.broken.push(`${after.metadata.name} was made beside ${names}`);
      }
    }
    if (after === undefined && before !== undefined) {
      const isGone = this.api.find(HOST_NODES, before.spec.nodeName) === undefined;
      const released = before.status?.conditions?.some(
        ({ type, status }) => type === 'Released' && status === 'True',
      );
      if (!isGone && released !== true)
        this.broken.push(`${before.metadata.name} went before its host denied`);
    }
    if (before !== undefined && after !== undefined) {
      const moved = canonicalJson(before.spec.policy) !== canonicalJson(after.spec.policy);
      const step = after.spec.policyGeneration - before.spec.policyGeneration;
      if (moved && step !== 1) this.broken.push(`${after.metadata.name}: policyGeneration moved by ${step}`);
    }
  }

  #checkNetwork(before: Network | undefined, after: Network | undefined): void {
    if (after !== undefined || before === undefined) return;
    const left = this.api
      .all<Attachment>(ATTACHMENTS)
      .filter(
        ({ metadata }) => metadata.ownerReferences?.some(({ uid }) => uid === before.metadata.uid) === true,
      );
    if (left.length > 0) this.broken.push(`${before.metadata.name} went before its attachments`);
  }
}

function agentStatus(attachment: Attachment) {
  const { metadata, spec } = attachment;
  const observedGeneration = metadata.generation ?? 0;
  const condition = (type: string, reason: string) => ({
    type,
    status: 'True',
    reason,
    message: 'as the model has it',
    observedGeneration,
    lastTransitionTime: '2026-01-01T00:00:00Z',
  });
  if (metadata.deletionTimestamp !== undefined) {
    return { observedGeneration, conditions: [condition('Released', 'Denied')] };
  }
  return {
    observedGeneration,
    conditions: [condition('Programmed', 'Programmed'), condition('Enforced', 'Verified')],
    enforced: { [AGENT_HASH]: spec.hash, policyGeneration: spec.policyGeneration },
  };
}

export { CLOSED_FINALIZER };
