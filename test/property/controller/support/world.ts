import { canonicalJson } from '../../../../src/controller/vmnetwork/plan/canonical-json.ts';
import { vmNetworkClassSchema, vmNetworkSchema } from '../../../../src/api/v1alpha1/index.ts';
import {
  ATTACHMENTS,
  CLASSES,
  CLOSED_FINALIZER,
  DEFINITIONS,
  HOST_NODES,
  LEASES,
  NETWORKS,
} from '../../../../src/controller/kinds.ts';
import type { Attachment, HostNode, Network, NetworkClass } from '../../../../src/controller/kinds.ts';
import { cardKey, cardOf } from '../../../../src/controller/vmnetwork/card.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { ModelAgents } from './model-agents.ts';
import { ModelApi } from './model-api.ts';
import { ModelProcess } from './model-process.ts';
import { Reasons } from './reasons.ts';
import { Truth } from './truth.ts';

const API_VERSION = 'vmnetwork.io/v1alpha1';
const RENEWAL_MS = 10_000;
const NODES_DEFINITION = 'vmnetworknodes.vmnetwork.io';

/** Tenants, a provider, agents and one controller at a time over one model of the API server; checks what must always hold. */
export class World {
  readonly clock = new FakeClock();
  readonly api = new ModelApi(() => this.clock.nowMs());
  process: ModelProcess;
  readonly broken: string[] = [];
  readonly truth = new Truth(this.api);
  readonly #agents = new ModelAgents(this.api);
  readonly #reasons = new Reasons(this.api, this.truth);
  /** Hosts whose VMNetworkNode went with its definition, and the VMs that they will report. */
  readonly #silenced = new Map<string, unknown[]>();
  readonly #declaredGone = new Set<string>();

  constructor() {
    this.api.onWrite = (before, after, byController) =>
      this.#check(before as never, after as never, byController);
    this.api.afterWrite = ({ kind }, byController) => {
      const decides = ['VMNetwork', 'VMNetworkClass', 'VMNetworkNode'].includes(kind);
      if (decides && !byController) this.#reasons.lookAtAll();
    };
    this.#define();
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

  /** An agent cannot report while its kind is missing; it does when the kind is back. */
  report(nodeName: string, virtualMachines: unknown[]): void {
    if (this.api.find(DEFINITIONS, NODES_DEFINITION) === undefined) {
      this.#silenced.set(nodeName, virtualMachines);
      return;
    }
    this.#silenced.delete(nodeName);
    this.#declaredGone.delete(nodeName);
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

  /** Leases are of another kind, which nobody loses here. */
  #beatAll(): void {
    const reported = this.api.all<HostNode>(HOST_NODES).map(({ metadata }) => metadata.name);
    for (const nodeName of new Set([...reported, ...this.#silenced.keys()])) this.beat(nodeName);
  }

  /** Somebody declares the host gone. */
  removeNode(nodeName: string): void {
    if (this.api.find(HOST_NODES, nodeName) === undefined) return;
    this.#declaredGone.add(nodeName);
    this.api.delete(HOST_NODES, nodeName);
  }

  /** The definition of VMNetworkNodes is deleted, and they with it. Nobody says of any host that it is gone. */
  loseNodes(): void {
    for (const node of this.api.all<HostNode>(HOST_NODES)) {
      this.#silenced.set(node.metadata.name, [...(node.status?.virtualMachines ?? [])]);
      this.api.delete(HOST_NODES, node.metadata.name);
    }
    if (this.api.find(DEFINITIONS, NODES_DEFINITION) !== undefined)
      this.api.delete(DEFINITIONS, NODES_DEFINITION);
  }

  /** It is applied again. */
  defineNodes(): void {
    if (this.api.find(DEFINITIONS, NODES_DEFINITION) === undefined) this.#define();
  }

  /** All is as it should be: the definition is there, agents have reported, and who was declared gone is declared so again. */
  async mendNodes(): Promise<void> {
    this.defineNodes();
    for (const [nodeName, vms] of this.#silenced) this.report(nodeName, vms);
    const gone = [...this.#declaredGone];
    // All of them: a host that is missing is asked for as long as it is.
    for (const nodeName of gone) this.report(nodeName, []);
    await this.converge();
    for (const nodeName of gone) this.removeNode(nodeName);
  }

  #define(): void {
    // Times are compared, and nothing else is as old as the definition.
    this.clock.stall(1);
    const conditions = [{ type: 'Established', status: 'True' }];
    const { apiVersion, kind } = { apiVersion: 'apiextensions.k8s.io/v1', kind: DEFINITIONS.kind };
    const definition = { apiVersion, kind, metadata: { name: NODES_DEFINITION } };
    const made = this.api.create(DEFINITIONS, definition);
    this.api.update(DEFINITIONS, { ...made, status: { conditions } }, 'status');
    this.clock.stall(1);
  }

  // What an agent does.

  /** Answers what stands for its node, as the kernel would hold it. */
  answer(nodeName: string): void {
    if (this.api.find(HOST_NODES, nodeName) === undefined) return;
    this.#agents.answer(nodeName);
  }

  // What the controller goes through.

  restart(): void {
    this.process.kill();
    this.process = new ModelProcess(this.api, this.clock);
  }

  /** Everybody does all there is to do, until nothing moves. What is due only after `withinMs` is left for later. */
  async converge(withinMs = Infinity, mustEndWithin = 5_000): Promise<void> {
    const lastMs = this.clock.monotonicMs() + withinMs;
    this.#beatAll();
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
      const dueMs = this.#nextMs();
      if (dueMs === null || dueMs > lastMs) return;
      // Waits of a minute and less are for what may still move; a grace may take longer.
      this.#beatAll();
      for (const cache of Object.values(this.process.caches)) cache.catchUp(Infinity);
      await this.clock.advance(Math.max(dueMs - this.clock.monotonicMs(), 0));
      this.process.tick();
    }
    throw new Error(`did not come to rest: ${this.process.failures.slice(-3).map(String).join('; ')}`);
  }

  /** When something is due, an agent's next renewal among it for as long as the controller does not take it for fresh. */
  #nextMs(): number | null {
    const nodes = this.api.all<HostNode>(HOST_NODES).map(({ metadata }) => metadata.name);
    const isHeard = nodes.every((node) => this.process.healthOf(node) === 'fresh');
    const dueMs = this.process.nextDueMs;
    const renewalMs = this.clock.monotonicMs() + RENEWAL_MS;
    return isHeard ? dueMs : Math.min(dueMs ?? Infinity, renewalMs);
  }

  #check(before: Attachment | undefined, after: Attachment | undefined, byController: boolean): void {
    const kind = (after ?? before)?.kind;
    if (kind === 'VMNetwork' && byController) this.#checkNetwork(before as never, after as never);
    if (kind !== 'VMNetworkAttachment') return;
    if (byController) this.#checkAttachment(before, after);
    this.#reasons.note(before, after, this.process);
    if (after !== undefined) this.#agents.note(after);
  }

  #checkAttachment(before: Attachment | undefined, after: Attachment | undefined): void {
    if (before === undefined && after !== undefined) {
      const card = cardKey(cardOf(after));
      const others = this.#reasons.attachmentsOf(after).filter((item) => cardKey(cardOf(item)) === card);
      if (others.length > 0) {
        const names = others.map(({ metadata }) => metadata.name).join(', ');
        this.broken.push(`${after.metadata.name} was made beside ${names}`);
      }
    }
    const isTaken = after?.metadata.deletionTimestamp !== undefined;
    if (isTaken && before?.metadata.deletionTimestamp === undefined && !this.#reasons.has(after))
      this.broken.push(`${after.metadata.name} was taken away without a reason`);
    if (after === undefined && before !== undefined) {
      const isGone = this.#declaredGone.has(before.spec.nodeName);
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

export { CLOSED_FINALIZER };
