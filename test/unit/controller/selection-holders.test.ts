/** Who has a VM keeps it: over the model of the API server, one change after the other. */
import { describe, expect, test } from '@jest/globals';
import { ATTACHMENTS, NETWORKS } from '../../../src/controller/kinds.ts';
import type { Attachment, Network } from '../../../src/controller/kinds.ts';
import { ATTACHMENT_INDEXERS } from '../../../src/controller/vmnetwork/attachment-names.ts';
import { AttachmentView } from '../../../src/controller/vmnetwork/attachment-view.ts';
import { IndexedStore } from '../../../src/kube/store/store.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { World } from '../../property/controller/support/world.ts';

const UUID = '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11';
const NIL_UUID = '00000000-0000-0000-0000-000000000000';
const ENDPOINT = { address: '203.0.113.10', port: 51820 };

const wants = (name: string, more: object = {}) => ({
  selector: { names: [name] },
  consumerEndpoint: ENDPOINT,
  ...more,
});
const machine = (name: string, more: object = {}) => {
  return { id: name, name, labels: {}, interfaces: [{ mac: '02:00:00:00:00:01' }], ...more };
};

/** Which network has which VM, as `network host/vm`. */
const held = (world: World): string[] =>
  world.api
    .all<Attachment>(ATTACHMENTS)
    .map(({ spec }) => `${spec.policy.network} ${spec.nodeName}/${spec.vm.name}`)
    .sort();

function boundOf(world: World, key: string): string {
  const network = world.api.find<Network>(NETWORKS, key);
  const bound = network?.status?.conditions?.find(({ type }) => type === 'Bound');
  return `${bound?.status ?? ''} ${bound?.reason ?? ''}`;
}

/** a/old selects nothing yet, b/young has vm1 on n1. */
async function heldByTheYounger(more: object = {}): Promise<World> {
  const world = new World();
  world.report('n1', [machine('vm1', more)]);
  world.apply('a', 'old', wants('absent'));
  world.clock.stall(1000);
  world.apply('b', 'young', wants('vm1'));
  await world.converge();
  expect(held(world)).toEqual(['young n1/vm1']);
  return world;
}

describe('whoever has an attachment, or one on its way', () => {
  const attachment = {
    apiVersion: 'vmnetwork.io/v1alpha1',
    kind: 'VMNetworkAttachment',
    metadata: {
      ...{ name: 'net-1', namespace: 't', uid: 'uid-1', resourceVersion: '1' },
      ownerReferences: [
        {
          apiVersion: 'vmnetwork.io/v1alpha1',
          kind: 'VMNetwork',
          name: 'net',
          uid: 'uid-net',
          controller: true,
        },
      ],
    },
    spec: {
      nodeName: 'n1',
      vm: { id: 'vm1', name: 'vm1', uuid: UUID },
      interface: { mac: '02:00:00:00:00:01' },
      policy: { network: 'net' },
    },
  } as unknown as Attachment;
  const holder = { key: 't/net', uid: 'uid-net' };

  test('holds the VM from the claim to the end, and each change is told in its turn', () => {
    const store = new IndexedStore<Attachment>(ATTACHMENT_INDEXERS);
    const view = new AttachmentView(store, new FakeClock());
    /** What is known of the holders at the instant at which a change is told. */
    const told: unknown[] = [];
    view.onHeld(({ nodeName, vmId, uuid }) => {
      expect([nodeName, vmId, uuid]).toEqual(['n1', 'vm1', UUID]);
      told.push(view.holdersOf('n1', 'vm1')[0]);
    });
    const isHeld = (expected: boolean) => {
      const holders = expected ? [holder] : [];
      expect(told.splice(0).at(-1)).toEqual(expected ? holder : undefined);
      expect(view.holdersOf('n1', 'vm1')).toEqual(holders);
      expect(view.holdersElsewhere(UUID, 'n2')).toEqual(holders);
      expect(view.holdersElsewhere(UUID, 'n1')).toEqual([]);
      expect(view.holdersOf('n1', 'vm2')).toEqual([]);
    };
    expect(view.claim(attachment)).toBe(true);
    expect(told).toHaveLength(1);
    isHeld(true);
    view.failed(attachment, 'not made');
    expect(told).toHaveLength(1);
    isHeld(false);
    view.claim(attachment);
    view.failed(attachment, 'unanswered');
    isHeld(true);
    view.created(attachment);
    isHeld(true);
    store.set(attachment);
    view.observed('added', attachment);
    isHeld(true);
    view.deleted(attachment);
    expect(view.holdersOf('n1', 'vm1')).toContainEqual(holder);
    told.splice(0);
    store.delete('t/net-1');
    view.observed('deleted', attachment);
    isHeld(false);
  });
});

describe('an older network that comes to select a VM which a younger one has', () => {
  test('does not get it, is told so, and gets it once the younger is gone', async () => {
    const world = await heldByTheYounger();
    world.apply('a', 'old', wants('vm1'));
    await world.converge();
    expect(held(world)).toEqual(['young n1/vm1']);
    expect(boundOf(world, 'a/old')).toBe('False Conflict');
    expect(boundOf(world, 'b/young')).toBe('True Bound');
    world.remove('b/young');
    await world.converge();
    expect(held(world)).toEqual(['old n1/vm1']);
    expect(boundOf(world, 'a/old')).toBe('True Bound');
    expect(world.broken).toEqual([]);
  });

  test('does not get it from the next leader either', async () => {
    const world = await heldByTheYounger();
    world.apply('a', 'old', wants('vm1'));
    world.restart();
    await world.converge();
    expect(held(world)).toEqual(['young n1/vm1']);
    expect(boundOf(world, 'a/old')).toBe('False Conflict');
    expect(world.broken).toEqual([]);
  });

  test('gets it once the younger selects it no longer, and then keeps it', async () => {
    const world = await heldByTheYounger();
    world.apply('a', 'old', wants('vm1'));
    world.apply('b', 'young', wants('absent'));
    await world.converge();
    expect(held(world)).toEqual(['old n1/vm1']);
    world.apply('b', 'young', wants('vm1'));
    await world.converge();
    expect(held(world)).toEqual(['old n1/vm1']);
    expect(boundOf(world, 'b/young')).toBe('False Conflict');
  });

  test('gets it when the younger comes to be refused, for that one has nothing any more', async () => {
    const world = await heldByTheYounger();
    world.apply('a', 'old', wants('vm1'));
    await world.converge();
    world.apply('b', 'young', wants('vm1', { className: 'not-there' }));
    await world.converge();
    expect(held(world)).toEqual(['old n1/vm1']);
  });
});

describe('a network that is refused', () => {
  test('never passes its VM on to a younger one, nor while it lets go of it', async () => {
    const world = new World();
    world.report('n1', [machine('vm1')]);
    world.apply('a', 'old', wants('vm1'));
    world.clock.stall(1000);
    world.apply('b', 'young', wants('vm1'));
    await world.converge();
    expect(held(world)).toEqual(['old n1/vm1']);
    world.setClass('default', { deniedPorts: [ENDPOINT.port] });
    world.apply('b', 'young', wants('vm1', { consumerEndpoint: { ...ENDPOINT, port: 51821 } }));
    await world.converge();
    expect(held(world)).toEqual([]);
    expect(boundOf(world, 'b/young')).toBe('False Conflict');
    world.setClass('default', {});
    await world.converge();
    expect(held(world)).toEqual(['old n1/vm1']);
  });

  test.each(['Any', 'NamespaceIfReported', 'Namespace'])(
    'because its class is missing, which was of ownership %s, neither loses a VM nor takes one',
    async (vmOwnership) => {
      const world = new World();
      // Whose host knows no namespace of it; and it comes when the class is gone already.
      const late = machine('late', { interfaces: [{ mac: '02:00:00:00:00:02' }] });
      world.setClass('own', { vmOwnership });
      world.report('n1', [machine('vm1')]);
      const both = { selector: { names: ['vm1', 'late'] } };
      world.apply('a', 'old', wants('vm1', { ...both, className: 'own' }));
      world.clock.stall(1000);
      world.apply('b', 'young', wants('vm1', both));
      await world.converge();
      const before = vmOwnership === 'Namespace' ? 'young n1/vm1' : 'old n1/vm1';
      expect(held(world)).toEqual([before]);

      world.removeClass('own');
      world.report('n1', [machine('vm1'), late]);
      await world.converge();
      // What the younger had it keeps; what the older had or may have is denied.
      expect(held(world)).toEqual(vmOwnership === 'Namespace' ? ['young n1/vm1'] : []);
      expect(world.broken).toEqual([]);

      world.setClass('own', { vmOwnership });
      await world.converge();
      const after = vmOwnership === 'Namespace' ? 'young n1/late' : 'old n1/late';
      expect(held(world)).toEqual([after, before]);
    },
  );
});

describe('a VM whose host reports a namespace', () => {
  test('is bound from there only, unless its class says otherwise; one without goes to the oldest', async () => {
    const world = new World();
    const both = { selector: { names: ['vm1', 'vm2'] } };
    world.apply('a', 'old', wants('vm1', both));
    world.clock.stall(1000);
    world.apply('b', 'young', wants('vm1', both));
    const plain = machine('vm2', { interfaces: [{ mac: '02:00:00:00:00:02' }] });
    world.report('n1', [machine('vm1', { namespace: 'b' }), plain]);
    await world.converge();
    expect(held(world)).toEqual(['old n1/vm2', 'young n1/vm1']);
    // Who has a VM keeps it: only once it has stopped may the older one have it.
    world.setClass('default', { vmOwnership: 'Any' });
    world.report('n1', [plain]);
    await world.converge();
    world.report('n1', [machine('vm1', { namespace: 'b' }), plain]);
    await world.converge();
    expect(held(world)).toEqual(['old n1/vm1', 'old n1/vm2']);
    expect(world.broken).toEqual([]);
  });
});

describe('a VM that migrates', () => {
  const moving = { uuid: UUID };

  test('stays with the network that has it, however many older ones select it', async () => {
    const world = await heldByTheYounger(moving);
    world.apply('a', 'old', wants('vm1'));
    world.report('n2', [machine('vm1', moving)]);
    await world.converge();
    expect(held(world)).toEqual(['young n1/vm1', 'young n2/vm1']);
    world.report('n1', []);
    await world.converge();
    expect(held(world)).toEqual(['young n2/vm1']);
    // And back, under another leader.
    world.restart();
    world.report('n1', [machine('vm1', moving)]);
    world.report('n2', []);
    await world.converge();
    expect(held(world)).toEqual(['young n1/vm1']);
    expect(world.broken).toEqual([]);
  });

  test('is told from others by its uuid: another VM of that name goes by age', async () => {
    const world = await heldByTheYounger(moving);
    world.apply('a', 'old', wants('vm1'));
    world.report('n2', [machine('vm1')]);
    await world.converge();
    expect(held(world)).toEqual(['old n2/vm1', 'young n1/vm1']);
  });

  test('is not told by the uuid of VMs that were given none', async () => {
    const world = await heldByTheYounger({ uuid: NIL_UUID });
    world.apply('a', 'old', wants('vm1'));
    world.report('n2', [machine('vm1', { uuid: NIL_UUID })]);
    await world.converge();
    expect(held(world)).toEqual(['old n2/vm1', 'young n1/vm1']);
  });

  test('is not taken from whoever has it here by one that has its uuid elsewhere', async () => {
    const world = await heldByTheYounger(moving);
    // The older one starts a VM of the same uuid, and has it.
    world.apply('a', 'old', wants('bait'));
    world.report('n2', [machine('bait', moving)]);
    await world.converge();
    expect(held(world)).toEqual(['old n2/bait', 'young n1/vm1']);
    world.apply('a', 'old', { selector: { names: ['bait', 'vm1'] }, consumerEndpoint: ENDPOINT });
    await world.converge();
    expect(held(world)).toEqual(['old n2/bait', 'young n1/vm1']);
    expect(world.broken).toEqual([]);
  });
});
