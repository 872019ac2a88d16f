/** Hundreds of networks of one namespace wait for one worker because of their class; then somebody closes a large one of them. */
import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { World } from '../../property/controller/support/world.ts';
import { LaggingCache } from '../../property/controller/support/lagging-cache.ts';
import { settle } from '../../support/fake-clock.ts';
import { assemble } from '../../../src/controller/assembly.ts';
import {
  ATTACHMENTS,
  CLASSES,
  CLUSTER_NODES,
  HOST_NODES,
  LEASES,
  NETWORKS,
} from '../../../src/controller/kinds.ts';
import type { Attachment } from '../../../src/controller/kinds.ts';
import { ATTACHMENT_INDEXERS } from '../../../src/controller/vmnetwork/attachment-names.ts';
import { NETWORK_INDEXERS } from '../../../src/controller/vmnetwork/fleet.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { controller } from '../../../src/kube/controller/controller.ts';
import type { KubeObject, ResourceType } from '../../../src/kube/resource.ts';

const SMALL = 100;
/** Three passes of it. */
const LARGE = 500;
const ENDPOINT = { address: '203.0.113.10', port: 51820 };

const vm = (id: string, labels: Record<string, string>) => {
  return { id, name: id, labels, interfaces: [{ mac: '02:00:00:00:00:01' }] };
};

/** The real queue with one worker, and a server that answers each write after a millisecond. */
class Busy {
  readonly world = new World();
  /** The network of each attachment that was written, in order. */
  readonly written: string[] = [];
  readonly #end = new AbortController();
  #caches: readonly LaggingCache<never>[] = [];

  async begin(): Promise<void> {
    const { api, clock } = this.world;
    const caches = {
      networks: new LaggingCache(api, NETWORKS, NETWORK_INDEXERS),
      classes: new LaggingCache(api, CLASSES),
      attachments: new LaggingCache(api, ATTACHMENTS, ATTACHMENT_INDEXERS),
      nodes: new LaggingCache(api, HOST_NODES),
      leases: new LaggingCache(api, LEASES),
      clusterNodes: new LaggingCache(api, CLUSTER_NODES),
      serviceCidrs: null,
    };
    this.#caches = Object.values(caches).filter((cache) => cache !== null) as never;
    const update = async (type: ResourceType, object: KubeObject, options?: { subresource?: 'status' }) => {
      await clock.sleep(1);
      if (type === ATTACHMENTS) this.written.push((object as Attachment).spec.policy.network);
      return api.update(type, object, options?.subresource, true);
    };
    const client = { update, list: async () => ({ items: [] }) } as unknown as KubeClient;
    const log = pino({ level: 'silent' });
    const queue = controller({
      name: 'vmnetwork',
      workers: 1,
      reconcile: (key, signal) => assembly.reconcileNetwork(key, signal),
      clock,
      log,
    });
    const recorder = { event: () => undefined, flush: async () => undefined };
    const signal = this.#end.signal;
    const ports = { client, namespace: 'vmnetwork-system', enqueueClass: () => undefined, recorder };
    const assembly = assemble(caches as never, { ...ports, networkQueue: queue, clock, log, signal });
    void queue.run(signal);
    await this.pass(5_000);
    this.written.length = 0;
  }

  see(): void {
    for (const cache of this.#caches) cache.catchUp(Infinity);
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 1) {
      await this.world.clock.advance(1);
      await settle();
      this.see();
    }
  }

  end(): void {
    this.#end.abort();
  }
}

test('all of it is closed before nine tenths of the others are written', async () => {
  const busy = new Busy();
  const { world } = busy;
  const small = Array.from({ length: SMALL }, (_, index) => `net-${index}`);
  world.report('n1', [
    ...small.map((name) => vm(name, {})),
    ...Array.from({ length: LARGE }, (_, index) => vm(`large-${index}`, { app: 'large' })),
  ]);
  for (const name of small)
    world.apply('a', name, { selector: { names: [name] }, consumerEndpoint: ENDPOINT });
  const large = { selector: { matchLabels: { app: 'large' } }, consumerEndpoint: ENDPOINT };
  world.apply('a', 'large', large);
  await world.converge(10_000, 20_000);
  await busy.begin();

  world.setClass('default', { limits: { default: { packetsPerSecond: 1000 } } });
  busy.see();
  world.apply('a', 'large', { ...large, desiredState: 'Quarantined' });
  busy.see();
  await busy.pass(1_000);
  busy.end();
  expect(busy.written.filter((name) => name === 'large')).toHaveLength(LARGE);
  expect(busy.written.filter((name) => name !== 'large')).toHaveLength(SMALL);
  const others = busy.written.slice(0, busy.written.lastIndexOf('large')).filter((name) => name !== 'large');
  expect(others.length).toBeLessThan(SMALL / 10);
});
