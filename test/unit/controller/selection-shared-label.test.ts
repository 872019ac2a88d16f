/** A label that many VMs and many networks share: what an event and a pass look at is their sum, not their product. */
import { describe, expect, test } from '@jest/globals';
import { ATTACHMENTS } from '../../../src/controller/kinds.ts';
import type { Attachment, HostNode, Network, NetworkClass } from '../../../src/controller/kinds.ts';
import { ATTACHMENT_INDEXERS } from '../../../src/controller/vmnetwork/attachment-names.ts';
import { AttachmentView } from '../../../src/controller/vmnetwork/attachment-view.ts';
import { Fleet, NETWORK_INDEXERS } from '../../../src/controller/vmnetwork/fleet.ts';
import { NetworkTriggers } from '../../../src/controller/vmnetwork/triggers.ts';
import { VmIndex } from '../../../src/controller/vmnetwork/vm-index.ts';
import { WrittenView } from '../../../src/controller/vmnetwork/written-view.ts';
import type { InformerEvent } from '../../../src/kube/reflector/informer.ts';
import { keyOf } from '../../../src/kube/resource.ts';
import type { KubeObject } from '../../../src/kube/resource.ts';
import { IndexedStore } from '../../../src/kube/store/store.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { network, networkClass } from './support/objects.ts';

const NETWORKS = 100;
const NODES = 10;
const VMS_EACH = 100;
const VMS = NODES * VMS_EACH;
/** Looks at a VM or a network; one for each pair would be nine times as many. */
const LIMIT = 10 * (VMS + NETWORKS);

/** The caches of a controller, and how often what is in them is looked at. */
class Counted {
  looks = 0;
  readonly queued = new Set<string>();
  readonly fleet: Fleet;
  readonly triggers: NetworkTriggers;
  readonly #networks = new IndexedStore<Network>(NETWORK_INDEXERS);
  readonly #classes = new IndexedStore<NetworkClass>();
  readonly #nodes = new IndexedStore<HostNode>();
  readonly #attachments = new IndexedStore<Attachment>(ATTACHMENT_INDEXERS);

  constructor() {
    const clock = new FakeClock();
    this.fleet = new Fleet({
      networks: this.#networks,
      classes: this.#classes,
      nodes: this.#nodes,
      vms: new VmIndex(),
      attachments: new AttachmentView(this.#attachments, clock),
      leases: { healthOf: () => 'fresh' },
      clusterRanges: () => [],
    });
    this.triggers = new NetworkTriggers(this.fleet, new WrittenView(this.#networks, clock), {
      enqueue: (key) => void this.queued.add(key),
      enqueueAfter: (key) => void this.queued.add(key),
    });
  }

  network = (object: Network): void => {
    this.networkEvent(object);
    this.triggers.pass(keyOf(object));
  };

  /** Its pass does not come yet. */
  networkEvent(object: Network): void {
    this.#tell(this.#networks, this.#counting(object, 'metadata'), (event) => this.triggers.network(event));
  }

  networkGone(key: string): void {
    const object = this.#networks.get(key) as Network;
    this.#networks.delete(key);
    this.triggers.network({ type: 'deleted', object, previous: object });
    this.triggers.pass(key);
  }

  networkClass(object: NetworkClass): void {
    this.#tell(this.#classes, object, (event) => this.triggers.networkClass(event));
  }

  node(name: string, labels: object, from = 0): void {
    const virtualMachines = Array.from({ length: VMS_EACH }, (_, index) => {
      const id = `${name}-${from + index}`;
      const interfaces = [{ mac: `02:00:00:00:00:${(index % 100) + 10}` }];
      return this.#counting({ id, name: id, labels, interfaces }, 'labels');
    });
    const node = { metadata: { name }, status: { virtualMachines } } as unknown as HostNode;
    this.#tell(this.#nodes, node, (event) => this.triggers.node(event));
  }

  attachment(object: Attachment): void {
    this.#tell(this.#attachments, object, (event) => this.triggers.attachment(event));
  }

  /** What one pass asks of every VM of its network, twice. */
  pass(name: string): string[] {
    const own = this.#networks.get(`t/${name}`) as Network;
    this.fleet.selected(own);
    return this.fleet.selected(own).map(({ owner }) => owner.metadata.name);
  }

  /** How many looks it takes. */
  cost(of: () => void): number {
    const before = this.looks;
    this.queued.clear();
    of();
    return this.looks - before;
  }

  #tell<T extends KubeObject>(
    store: IndexedStore<T>,
    object: T,
    handler: (event: InformerEvent<T>) => void,
  ): void {
    const previous = store.get(keyOf(object));
    store.set(object);
    handler(previous === undefined ? { type: 'added', object } : { type: 'updated', object, previous });
  }

  /** The same, which counts how often that field is read. */
  #counting<T extends object>(object: T, field: keyof T & string): T {
    const value = object[field];
    return Object.defineProperty({ ...object }, field, {
      enumerable: true,
      get: () => {
        this.looks += 1;
        return value;
      },
    });
  }
}

const WEB = { app: 'web' };
const wants = (index: number, selector: object, namespace = 't') => {
  const creationTimestamp = new Date(Date.UTC(2026, 0, 1) + index * 1000).toISOString();
  return network(`net-${index}`, { selector }, { creationTimestamp, namespace });
};

/** All select all VMs; net-0 is the oldest, and everybody has asked whose they are. */
function sharing(namespaceOf: (index: number) => string = () => 't'): Counted {
  const counted = new Counted();
  counted.networkClass(networkClass('default'));
  for (let index = 0; index < NETWORKS; index += 1)
    counted.network(wants(index, { matchLabels: WEB }, namespaceOf(index)));
  for (let index = 0; index < NODES; index += 1) counted.node(`n${index}`, WEB);
  counted.pass('net-0');
  return counted;
}

describe('one label, a hundred networks and a thousand VMs', () => {
  test('filling the caches costs no look at a VM for each network', () => {
    const counted = new Counted();
    const cost = counted.cost(() => {
      for (let index = 0; index < NODES; index += 1) counted.node(`n${index}`, WEB);
      for (let index = 0; index < NETWORKS; index += 1) counted.network(wants(index, { matchLabels: WEB }));
      counted.networkClass(networkClass('default'));
    });
    expect(cost).toBeLessThan(LIMIT);
    expect(counted.queued.size).toBe(NETWORKS);
  });

  test('a pass costs its own VMs, whoever owns them', () => {
    const counted = sharing();
    expect(
      counted.cost(() => expect(new Set(counted.pass('net-0'))).toEqual(new Set(['net-0']))),
    ).toBeLessThan(LIMIT);
    expect(
      counted.cost(() => expect(new Set(counted.pass('net-99'))).toEqual(new Set(['net-0']))),
    ).toBeLessThan(LIMIT);
  });

  test.each<[string, (counted: Counted) => void, string, number]>([
    [
      'the owner lets go of all',
      (given) => given.network(wants(0, { names: ['absent'] })),
      'net-1',
      NETWORKS,
    ],
    ['the owner goes', (given) => given.networkGone('t/net-0'), 'net-1', NETWORKS],
    ['an older one comes', (given) => given.network(wants(-1, { matchLabels: WEB })), 'net--1', NETWORKS + 1],
    ['a younger one comes', (given) => given.network(wants(100, { matchLabels: WEB })), 'net-0', 1],
    ['a younger one lets go', (given) => given.network(wants(99, { names: ['absent'] })), 'net-0', 1],
    [
      'their class changes whose VMs they may have',
      (given) => given.networkClass(networkClass('default', { vmOwnership: 'Namespace' })),
      '',
      NETWORKS,
    ],
    ['a host has other VMs', (given) => given.node('n3', WEB, 500), 'net-0', NETWORKS],
    ['a host is heard again', (given) => given.triggers.host('n3'), 'net-0', 1],
    [
      'somebody gets one',
      (given) => given.attachment(attachmentOf('net-50', 'n3', 'n3-7')),
      'net-0',
      NETWORKS,
    ],
  ])('%s: what it costs is their sum', (_, event, owner, queued) => {
    const counted = sharing();
    expect(counted.cost(() => event(counted))).toBeLessThan(LIMIT);
    expect(counted.queued.size).toBe(queued);
    const owners = new Set(counted.pass('net-98'));
    expect(owners.has(owner)).toBe(owner !== '');
  });

  test('tenants that are not told who owns a VM are not asked again when that changes', () => {
    const counted = sharing((index) => (index < 2 ? 't' : `tenant-${index}`));
    counted.cost(() => counted.networkGone('t/net-0'));
    expect([...counted.queued].sort()).toEqual(['t/net-0', 't/net-1']);
  });

  test('a tenant who changes a network all the time has everybody looked at again once, in the turn of his own', () => {
    const counted = sharing();
    const flip = (): void => {
      for (let times = 0; times < 100; times += 1) {
        counted.networkEvent(wants(0, { matchLabels: times % 2 === 0 ? { app: 'db' } : WEB }));
        counted.networkEvent(wants(98, { matchLabels: times % 2 === 0 ? { ...WEB, x: 'y' } : WEB }));
      }
    };
    expect(counted.cost(flip)).toBeLessThan(LIMIT);
    expect([...counted.queued].sort()).toEqual(['t/net-0', 't/net-98']);
    counted.networkEvent(wants(0, { matchLabels: { app: 'db' } }));
    expect(counted.cost(() => counted.triggers.pass('t/net-0'))).toBeLessThan(LIMIT);
    expect(counted.cost(() => counted.triggers.pass('t/net-0'))).toBe(0);
    expect(new Set(counted.pass('net-98'))).toEqual(new Set(['net-1']));
  });

  test('labels that tell them apart are used, whichever come first', () => {
    const counted = new Counted();
    counted.networkClass(networkClass('default'));
    for (let index = 0; index < NETWORKS; index += 1)
      counted.network(wants(index, { matchLabels: { ...WEB, tenant: `t${index}` } }));
    for (let index = 0; index < NODES; index += 1) counted.node(`n${index}`, { ...WEB, tenant: `t${index}` });
    expect(counted.cost(() => expect(counted.pass('net-7')).toHaveLength(VMS_EACH))).toBeLessThan(
      15 * VMS_EACH,
    );
    // A host's VMs come anew: of the hundred networks that name the first label one is found.
    expect(counted.cost(() => counted.node('n3', { ...WEB, tenant: 't3' }, 500))).toBeLessThan(20 * VMS_EACH);
  });
});

/** An attachment as the cache of attachments shows it. */
function attachmentOf(name: string, nodeName: string, vmId: string): Attachment {
  const owner = {
    apiVersion: 'vmnetwork.io/v1alpha1',
    kind: 'VMNetwork',
    name,
    uid: `uid-${name}`,
    controller: true,
  };
  return {
    apiVersion: 'vmnetwork.io/v1alpha1',
    kind: ATTACHMENTS.kind,
    metadata: { name: `${name}-1`, namespace: 't', uid: 'uid-1', ownerReferences: [owner] },
    spec: {
      nodeName,
      vm: { id: vmId, name: vmId },
      interface: { mac: '02:00:00:00:00:10' },
      policy: { network: name },
    },
  } as unknown as Attachment;
}
