import type { KubeClient } from '../kube/client.ts';
import type { Controller, Outcome } from '../kube/controller/controller.ts';
import type { EventRecorder } from '../kube/events/recorder.ts';
import type { Informer } from '../kube/reflector/informer.ts';
import type { KubeObject } from '../kube/resource.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import { RangeKeeper } from './class/range-keeper.ts';
import { reconcileClass } from './class/reconciler.ts';
import { LEASES } from './kinds.ts';
import type {
  Attachment,
  ClusterNode,
  HostNode,
  Lease,
  Network,
  NetworkClass,
  ServiceCidr,
} from './kinds.ts';
import { AttachmentView } from './vmnetwork/attachment-view.ts';
import { Fleet } from './vmnetwork/fleet.ts';
import { HostLeases } from './vmnetwork/host-leases.ts';
import { KnownSecrets } from './vmnetwork/known-secrets.ts';
import { MissingHosts } from './vmnetwork/missing-hosts.ts';
import { NetworkReconciler } from './vmnetwork/reconciler.ts';
import { NetworkTriggers } from './vmnetwork/triggers.ts';
import { VmIndex } from './vmnetwork/vm-index.ts';
import { WrittenView } from './vmnetwork/written-view.ts';

/** What of an informer is needed to work with it; who starts it is another matter. */
export type Cache<T extends KubeObject> = Pick<Informer<T>, 'store' | 'onEvent'>;

/** Everything that is watched. Networks and attachments with the indexers of their files. */
export interface Caches {
  readonly networks: Cache<Network>;
  readonly classes: Cache<NetworkClass>;
  readonly attachments: Cache<Attachment>;
  readonly nodes: Cache<HostNode>;
  readonly leases: Cache<Lease>;
  readonly clusterNodes: Cache<ClusterNode>;
  /** Null where the API server does not serve them. */
  readonly serviceCidrs: Cache<ServiceCidr> | null;
}

export interface AssemblyPorts {
  /** Fenced: it writes only while this process leads. */
  readonly client: KubeClient;
  /** Of the hosts' Leases. */
  readonly namespace: string;
  readonly networkQueue: Pick<Controller, 'enqueue' | 'enqueueAfter'>;
  /** At once, or after `delayMs`; the earliest of several counts. */
  readonly enqueueClass: (key: string, delayMs?: number) => void;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** The controller without what drives it: events of the caches become keys, keys become writes. */
export interface Assembly {
  readonly attachments: AttachmentView;
  readonly fleet: Fleet;
  reconcileNetwork(key: string, signal: AbortSignal): Promise<Outcome>;
  reconcileClass(key: string, signal: AbortSignal): Promise<Outcome>;
  close(): void;
}

export function assemble(caches: Caches, ports: AssemblyPorts): Assembly {
  const { client, clock, log, networkQueue, enqueueClass, recorder } = ports;
  const networks = new WrittenView<Network>(caches.networks.store, clock);
  const classes = new WrittenView<NetworkClass>(caches.classes.store, clock);
  const attachments = new AttachmentView(caches.attachments.store, clock);
  const ranges = new RangeKeeper({
    nodes: caches.clusterNodes.store,
    serviceCidrs: caches.serviceCidrs?.store ?? null,
    onChange: (delayMs) => {
      for (const { metadata } of caches.classes.store.list()) enqueueClass(metadata.name, delayMs);
    },
    ...{ clock, log },
  });
  const clusterRanges = () => ranges.known();
  const keepForMs = () => ranges.keepForMs();
  const leases = new HostLeases({
    clock,
    list: async () => (await client.list<Lease>(LEASES, { namespace: ports.namespace }, ports.signal)).items,
    onChange: (node, health) => {
      log[health === 'stale' ? 'info' : 'debug']({ node, health }, 'heard of the agent of a host');
      triggers.host(node);
    },
  });
  const fleet = new Fleet({
    networks: caches.networks.store,
    classes: caches.classes.store,
    nodes: caches.nodes.store,
    vms: new VmIndex(),
    attachments,
    leases,
    clusterRanges: () => clusterRanges().ranges,
  });
  const secrets = new KnownSecrets(client, clock);
  const missing = new MissingHosts({ client, clock, log });
  const reconciler = new NetworkReconciler({
    ...{ client, networks, fleet, missing, secrets, recorder, clock, log },
    enqueue: (key) => networkQueue.enqueue(key),
  });
  const triggers = new NetworkTriggers(fleet, networks, {
    enqueue: (key, options) => {
      networkQueue.enqueue(key, options);
      if (options?.urgent === true) reconciler.hasten(key);
    },
    enqueueAfter: (key, delayMs) => networkQueue.enqueueAfter(key, delayMs),
  });

  attachments.onFree((card, by) => triggers.freed(card, by));
  caches.nodes.onEvent((event) => triggers.node(event));
  caches.leases.onEvent(({ type, object }) => {
    if (type === 'deleted') leases.removed(object);
    else leases.observe(object);
  });
  caches.clusterNodes.onEvent((event) => ranges.node(event));
  caches.serviceCidrs?.onEvent((event) => ranges.serviceCidr(event));
  caches.classes.onEvent((event) => {
    triggers.networkClass(event);
    if (event.type !== 'deleted') enqueueClass(event.object.metadata.name);
  });
  caches.networks.onEvent((event) => triggers.network(event));
  caches.attachments.onEvent((event) => triggers.attachment(event));

  return {
    attachments,
    fleet,
    reconcileNetwork: (key, signal) => {
      triggers.pass(key);
      return reconciler.reconcile(key, signal);
    },
    reconcileClass: (key, signal) =>
      reconcileClass(key, { client, classes, clusterRanges, keepForMs, recorder, log }, signal),
    close: () => leases.close(),
  };
}
