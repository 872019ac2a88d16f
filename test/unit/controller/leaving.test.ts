/** A network that is being deleted: what it waits for, what it says of that, and that it waits no longer than that. */
import { describe, expect, test } from '@jest/globals';
import { World } from '../../property/controller/support/world.ts';
import { settle } from '../../support/fake-clock.ts';
import { ATTACHMENTS, NETWORKS } from '../../../src/controller/kinds.ts';
import type { Attachment, Network } from '../../../src/controller/kinds.ts';

const SPEC = { selector: { names: ['vm1'] }, consumerEndpoint: { address: '203.0.113.10', port: 51820 } };
const VM = { id: 'vm1', name: 'vm1', labels: {}, interfaces: [{ mac: '02:00:00:00:00:01' }] };
/** Far less than it takes to be sure of a create without an answer, and than an agent may be silent. */
const SOON_MS = 5_000;
/** As long as the API server may take to do what it did not answer for, and a look after it. */
const SURE_MS = 80_000;

const networks = (world: World) => world.api.all<Network>(NETWORKS);
const attachments = (world: World) => world.api.all<Attachment>(ATTACHMENTS);
const said = (world: World, type = 'Reconciling') =>
  networks(world)[0]?.status?.conditions?.find((one) => one.type === type)?.message;
const finalizers = (world: World, change: (names: string[]) => string[]) => {
  const network = world.api.find<Network>(NETWORKS, 'b/net')!;
  const metadata = { ...network.metadata, finalizers: change([...(network.metadata.finalizers ?? [])]) };
  world.api.update(NETWORKS, { ...network, metadata });
};

/** A network with one VM, which passes. */
async function standing(): Promise<World> {
  const world = new World();
  world.report('n1', [VM]);
  world.apply('b', 'net', SPEC);
  await world.converge(1_000);
  expect(attachments(world)).toHaveLength(1);
  return world;
}

/** From here on no host answers anything. */
function mute(world: World): void {
  world.answer = () => undefined;
}

describe('a network that is deleted', () => {
  test('names the VMs that it waits for', async () => {
    const world = await standing();
    mute(world);
    world.remove('b/net');
    await world.converge(SOON_MS);
    expect(said(world)).toBe('it goes when the hosts have denied: VM vm1 on n1');
    expect(said(world, 'Bound')).toBe('no other network claims these VMs');
  });

  test('stays until its host denied, also when the garbage collector took the owner off its attachment', async () => {
    const world = await standing();
    const answer = world.answer.bind(world);
    mute(world);
    world.remove('b/net');
    const [attachment] = attachments(world);
    const { ownerReferences: _gone, ...metadata } = attachment!.metadata;
    world.api.update(ATTACHMENTS, { ...attachment!, metadata });
    await world.converge(SOON_MS);
    expect(attachments(world).map((one) => one.metadata.deletionTimestamp)).toEqual([expect.any(String)]);
    expect(networks(world)).toHaveLength(1);
    expect(said(world)).toContain('VM vm1 on n1');
    world.answer = answer;
    await world.converge(SOON_MS);
    expect([...attachments(world), ...networks(world)]).toEqual([]);
  });

  test('is held by no attachment of another network that once had its name', async () => {
    const world = await standing();
    mute(world);
    const [attachment] = attachments(world);
    const [owner] = attachment!.metadata.ownerReferences ?? [];
    const ownerReferences = [{ ...owner!, uid: 'of-another' }];
    world.api.update(ATTACHMENTS, { ...attachment!, metadata: { ...attachment!.metadata, ownerReferences } });
    world.remove('b/net');
    await world.converge(SOON_MS);
    expect(networks(world)).toEqual([]);
  });

  test('says whose finalizers it waits for, once its VMs are closed', async () => {
    const world = await standing();
    finalizers(world, (names) => [...names, 'example.com/mine']);
    world.remove('b/net');
    await world.converge(SOON_MS);
    expect(said(world)).toBe('its VMs are closed; it waits for finalizers of others: example.com/mine');
    finalizers(world, () => []);
    expect(networks(world)).toEqual([]);
  });

  test('waits for a create without an answer until that can be no more, and says so', async () => {
    const world = new World();
    world.report('n1', [VM]);
    world.apply('b', 'net', SPEC);
    const isCreate = ({ title }: { title: string }) => title.startsWith('create VMNetworkAttachment');
    while (!world.process.client.pending.some(isCreate)) {
      for (const cache of Object.values(world.process.caches)) cache.catchUp(Infinity);
      while (world.process.begin(0)) await settle();
      world.process.client.pending.find((request) => !isCreate(request))?.serve();
      await settle();
    }
    world.process.client.pending.find(isCreate)!.fail();
    await settle();
    world.remove('b/net');
    await world.converge(SOON_MS);
    expect(said(world)).toContain('has not answered for');
    await world.converge(SURE_MS);
    expect(networks(world)).toEqual([]);
  });
});

test('a VM without a card is what is missing, not a VM', async () => {
  const world = new World();
  world.report('n1', [{ ...VM, interfaces: [] }]);
  world.apply('b', 'net', SPEC);
  await world.converge(SOON_MS);
  expect(said(world, 'Programmed')).toBe('VM vm1 on n1 has no network card that its host reports');
});
