import { cidrContains } from '../../api/v1alpha1/cidr.ts';
import type { Cidr } from '../../api/v1alpha1/cidr.ts';
import type { Controller } from '../../kube/controller/controller.ts';
import { keyOf, refOf } from '../../kube/resource.ts';
import type { InformerEvent } from '../../kube/reflector/informer.ts';
import type { Attachment, HostNode, Network, NetworkClass } from '../kinds.ts';
import { isMereCount } from './attachment-change.ts';
import { networksOf } from './attachment-names.ts';
import type { Fleet } from './fleet.ts';
import type { OwnerChange } from './owners.ts';
import { canonicalJson } from './plan/canonical-json.ts';
import type { ReportedVm } from './selection.ts';
import type { WrittenView } from './written-view.ts';

/*
 * Which networks does an event touch? Each method names only what has to be looked at anew; what an event does not touch is
 * not found by walking the fleet but by the indexes. The exception is a change of a class, which is about all of its
 * networks, and even then new cluster ranges touch only those whose endpoint they decide about.
 *
 * What somebody asks for and has no answer to yet, a kill switch for instance, is urgent: it goes before those of its namespace that
 * only a class, a host or a VM touched.
 */

export type Triggers = Pick<Controller, 'enqueue' | 'enqueueAfter'>;

/** Changes of mere counts wait this long, so that they share a pass. */
const COUNTS_AFTER_MS = 60_000;
/** A network with many attachments hears of them together: this much later for each, at most `LONGEST_GATHER_MS`. */
const GATHER_MS_EACH = 0.5;
const GATHER_FROM = 50;
const LONGEST_GATHER_MS = 2_000;

export class NetworkTriggers {
  readonly #fleet: Fleet;
  readonly #networks: WrittenView<Network>;
  readonly #queue: Triggers;

  constructor(fleet: Fleet, networks: WrittenView<Network>, queue: Triggers) {
    this.#fleet = fleet;
    this.#networks = networks;
    this.#queue = queue;
    fleet.parts.attachments.onHeld((vm) => this.#tell(fleet.owners.held(vm)));
  }

  network({ type, object, previous }: InformerEvent<Network>): void {
    // Our own status or finalizer: the pass that wrote it knew.
    const decides = type !== 'updated' || previous === undefined || decidesAnew(previous, object);
    if (decides) this.#fleet.owners.network(previous, type === 'deleted' ? undefined : object);
    if (decides || !this.#networks.isOwn(object)) {
      this.#queue.enqueue(keyOf(object), { urgent: type === 'deleted' || !isAnswered(object) });
    }
  }

  /** A pass of a network begins: whose VMs are whose is looked at again, if it changed, and others are told. */
  pass(network: string): void {
    this.#tell(this.#fleet.owners.review(network), network);
  }

  networkClass({ type, object, previous }: InformerEvent<NetworkClass>): void {
    const { name } = object.metadata;
    this.#tell(this.#fleet.owners.networkClass(name, previous, type === 'deleted' ? undefined : object));
    const all = this.#fleet.parts.networks.byIndex('class', name);
    const specMoved = type !== 'updated' || canonicalJson(previous?.spec) !== canonicalJson(object.spec);
    if (specMoved) {
      for (const network of all) this.#queue.enqueue(keyOf(network));
      return;
    }
    const before = previous?.status?.clusterRanges ?? [];
    const after = object.status?.clusterRanges ?? [];
    const moved = [...difference(before, after), ...difference(after, before)];
    if (moved.length === 0) return;
    for (const network of all) {
      const address = network.spec?.consumerEndpoint?.address;
      if (address !== undefined && moved.some((range) => cidrContains(range, address))) {
        this.#queue.enqueue(keyOf(network));
      }
    }
    // A previous endpoint may lie there too; few networks are in their grace at a time.
    for (const attachment of this.#fleet.parts.attachments.inGrace()) this.#owners(attachment);
  }

  node({ type, object, previous }: InformerEvent<HostNode>): void {
    const nodeName = object.metadata.name;
    const vms = type === 'deleted' ? [] : (object.status?.virtualMachines ?? []);
    this.#changed(this.#fleet.parts.vms.set(nodeName, vms));
    const keyMoved = previous?.status?.sealingKey !== object.status?.sealingKey;
    if (type !== 'updated' || keyMoved) this.host(nodeName);
  }

  attachment({ type, object, previous }: InformerEvent<Attachment>): void {
    const view = this.#fleet.parts.attachments;
    const isOwn = type !== 'deleted' && view.isOwn(object);
    view.observed(type, object);
    // What the pass that wrote it already knew.
    if (isOwn) return;
    const delayMs =
      type === 'updated' && previous !== undefined && isMereCount(previous, object) ? COUNTS_AFTER_MS : 0;
    for (const network of networksOf(object)) this.#soon(network, delayMs);
    if (type !== 'deleted') return;
    // The card is free: whoever waits for it.
    this.freed({ nodeName: object.spec.nodeName, vmId: object.spec.vm.id });
  }

  /** A card was freed, and its VM's owner may wait for it; `by` are networks that know. */
  freed(
    { nodeName, vmId }: { readonly nodeName: string; readonly vmId: string },
    by: readonly string[] = [],
  ): void {
    const reported = this.#fleet.parts.vms.get(nodeName, vmId);
    const owner = reported === undefined ? null : this.#fleet.owners.known(reported);
    if (typeof owner === 'string' && !by.includes(owner)) this.#queue.enqueue(owner);
  }

  /** A host became fresh, stale, gone or known. */
  host(nodeName: string): void {
    for (const attachment of this.#fleet.parts.attachments.onNode(nodeName)) this.#owners(attachment);
    for (const { vm } of this.#fleet.parts.vms.onNode(nodeName)) this.freed({ nodeName, vmId: vm.id });
  }

  /** VMs came, went or changed: those who select them, and whoever has one and selects it no longer. */
  #changed(vms: readonly ReportedVm[]): void {
    for (const network of this.#fleet.owners.claimants(vms)) this.#queue.enqueue(keyOf(network));
    for (const { nodeName, vm } of vms) {
      for (const attachment of this.#fleet.parts.attachments.ofVm(nodeName, vm.id)) this.#owners(attachment);
    }
    const { vms: index } = this.#fleet.parts;
    this.#fleet.owners.gone(vms.filter((one) => index.get(one.nodeName, one.vm.id) !== one));
  }

  /** VMs have other owners: both, and those of the rest who are told their names; not whoever has its pass now. */
  #tell(changes: readonly OwnerChange[], passing: string | null = null): void {
    if (changes.length === 0) return;
    const owners = new Set(changes.flatMap(({ was, now }) => [was ?? [], now ?? []].flat()));
    for (const owner of owners) if (owner !== passing) this.#queue.enqueue(owner);
    const namespaces = new Set([...owners].map((owner) => refOf(owner).namespace));
    const isTold = ({ metadata }: Network) => namespaces.has(metadata.namespace);
    const vms = changes.map(({ reported }) => reported);
    for (const network of this.#fleet.owners.claimants(vms, isTold)) {
      const key = keyOf(network);
      if (key !== passing) this.#queue.enqueue(key);
    }
  }

  #owners(attachment: Attachment): void {
    for (const network of networksOf(attachment)) this.#queue.enqueue(network);
  }

  #soon(network: string, delayMs: number): void {
    const many = this.#fleet.parts.attachments.countOf(network);
    const gatherMs = many < GATHER_FROM ? 0 : Math.min(many * GATHER_MS_EACH, LONGEST_GATHER_MS);
    const waitMs = Math.max(delayMs, gatherMs);
    if (waitMs === 0) this.#queue.enqueue(network);
    else this.#queue.enqueueAfter(network, waitMs);
  }
}

/** Whether the status speaks of the present spec, and of the end if there is to be one: that too moves the generation. */
function isAnswered({ metadata, status }: Network): boolean {
  return status?.observedGeneration === metadata.generation;
}

/** Whether who owns which VM may come out otherwise. */
function decidesAnew(before: Network, after: Network): boolean {
  return (
    before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp ||
    before.spec?.className !== after.spec?.className ||
    canonicalJson(before.spec?.selector) !== canonicalJson(after.spec?.selector)
  );
}

function difference(a: readonly Cidr[], b: readonly Cidr[]): Cidr[] {
  const known = new Set(b);
  return a.filter((range) => !known.has(range));
}
