import { isNotFound } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { controller } from '../kube/controller/controller.ts';
import type { EventRecorder } from '../kube/events/recorder.ts';
import { informer } from '../kube/reflector/informer.ts';
import type { Informer } from '../kube/reflector/informer.ts';
import { refOf } from '../kube/resource.ts';
import type { KubeObject, ResourceType } from '../kube/resource.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import { assemble } from './assembly.ts';
import type { Assembly } from './assembly.ts';
import { ATTACHMENTS, CLASSES, CLUSTER_NODES, HOST_NODES, LEASES, NETWORKS, SERVICE_CIDRS } from './kinds.ts';
import type {
  Attachment,
  ClusterNode,
  HostNode,
  Lease,
  Network,
  NetworkClass,
  ServiceCidr,
} from './kinds.ts';
import { ATTACHMENT_INDEXERS } from './vmnetwork/attachment-names.ts';
import { NETWORK_INDEXERS } from './vmnetwork/fleet.ts';

export interface TermOptions {
  /** Fenced: it writes only while this process leads. */
  readonly client: KubeClient;
  /** Of the hosts' Leases. */
  readonly namespace: string;
  /** Networks that are reconciled at the same time. */
  readonly workers: number;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: Metrics | undefined;
  /** The caches are filled and the workers begin. */
  readonly onReady?: (() => void) | undefined;
}

/** How often what the caches should have shown by now is looked for. */
const LATE_EVERY_MS = 30_000;

/** The API server does not remember what it told in this term: it has to begin anew. */
export class LostPast extends Error {
  override readonly name = 'LostPast';
  readonly remedy =
    'begins anew with what it tells now; nothing is to be done here. Whoever did not mean to restore it looks at etcd';
  constructor() {
    super('the API server lost its data, or was given older ones back; what it told before is worth nothing');
  }
}

/**
 * One term of leadership: fills caches, works until the signal aborts, ends when nothing is under way any more. All state is
 * the term's own. A new leader lists everything after it has the Lease, so it sees whatever the one before it wrote.
 *
 * Throws `LostPast` when etcd was restored: of the caches one shows that first, and with what the others still show of a time that never
 * was nothing true can be planned.
 */
export async function runTerm(options: TermOptions, signal: AbortSignal): Promise<void> {
  const { client, namespace, workers, clock, log, metrics, recorder } = options;
  const ended = new AbortController();
  const stop = AbortSignal.any([signal, ended.signal]);
  const onLostPast = () => ended.abort(new LostPast());
  const follow = <T extends KubeObject>(
    type: ResourceType,
    more: { namespace?: string; indexers?: Record<string, (object: T) => readonly string[]> } = {},
  ): Informer<T> => informer<T>(client, type, { clock, log, onLostPast, ...more });
  const servesServiceCidrs = await isServed(client, SERVICE_CIDRS, signal);
  if (!servesServiceCidrs) {
    log.warn('this API server serves no ServiceCIDRs; deny the service range in deniedDestinations.networks');
  }
  const caches = {
    networks: follow<Network>(NETWORKS, { indexers: NETWORK_INDEXERS }),
    classes: follow<NetworkClass>(CLASSES),
    attachments: follow<Attachment>(ATTACHMENTS, { indexers: ATTACHMENT_INDEXERS }),
    nodes: follow<HostNode>(HOST_NODES),
    leases: follow<Lease>(LEASES, { namespace }),
    clusterNodes: follow<ClusterNode>(CLUSTER_NODES),
    serviceCidrs: servesServiceCidrs ? follow<ServiceCidr>(SERVICE_CIDRS) : null,
  };

  const networkQueue = controller({
    name: 'vmnetwork',
    workers,
    // No tenant waits for the networks of another.
    laneOf: (key) => refOf(key).namespace ?? '',
    reconcile: (key, of) => assembly.reconcileNetwork(key, of),
    clock,
    log,
    metrics,
  });
  const classQueue = controller({
    name: 'vmnetworkclass',
    workers: 1,
    reconcile: (key, of) => assembly.reconcileClass(key, of),
    clock,
    log,
    metrics,
  });
  const enqueueClass = (key: string, delayMs = 0) =>
    delayMs > 0 ? classQueue.enqueueAfter(key, delayMs) : classQueue.enqueue(key);
  const ports = { client, namespace, networkQueue, enqueueClass, recorder, clock, log, signal: stop };
  const assembly: Assembly = assemble(caches, ports);

  const informers = Object.values(caches).filter((cache) => cache !== null);
  const running = informers.map((cache) => cache.start(stop));
  try {
    await Promise.all(informers.map((cache) => cache.synced()));
    const counts = { networks: caches.networks.store.size, attachments: caches.attachments.store.size };
    log.info(counts, 'caches are filled');
    options.onReady?.();
    running.push(lookForLate(assembly, (key) => networkQueue.enqueue(key), clock, stop));
    await Promise.all([networkQueue.run(stop), classQueue.run(stop)]);
    if (!signal.aborted) ended.signal.throwIfAborted();
  } finally {
    ended.abort();
    assembly.close();
    await Promise.allSettled(running);
  }
}

async function lookForLate(
  { attachments }: Assembly,
  enqueue: (network: string) => void,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(LATE_EVERY_MS, signal).catch(() => undefined);
    for (const network of attachments.late()) enqueue(network);
  }
}

/** Whether the API server knows the kind. */
async function isServed(client: KubeClient, type: ResourceType, signal: AbortSignal): Promise<boolean> {
  try {
    await client.list(type, { limit: 1 }, signal);
    return true;
  } catch (error) {
    // Whatever else it may be, the informer meets it too, and goes on trying.
    return !isNotFound(error);
  }
}
