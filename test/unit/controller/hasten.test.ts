/** The create of one attachment has no answer, and somebody closes the network meanwhile. */
import { describe, expect, test } from '@jest/globals';
import { World } from '../../property/controller/support/world.ts';
import { settle } from '../../support/fake-clock.ts';
import { ATTACHMENTS, NETWORKS } from '../../../src/controller/kinds.ts';
import type { Attachment, Network } from '../../../src/controller/kinds.ts';

const SPEC = {
  selector: { matchLabels: { app: 'x' } },
  consumerEndpoint: { address: '203.0.113.10', port: 51820 },
};
/** Far less than it takes to be sure of a create without an answer. */
const SOON_MS = 10_000;
const CLOSED = { ...SPEC, desiredState: 'Quarantined' };
const vm = (id: string) => {
  return { id, name: id, labels: { app: 'x' }, interfaces: [{ mac: `02:00:00:00:00:0${id.slice(-1)}` }] };
};
const statesOf = (world: World) =>
  world.api
    .all<Attachment>(ATTACHMENTS)
    .map(({ spec }) => `${spec.vm.name} ${spec.policy.desiredState}`)
    .sort();
const titled = (world: World, title: string) =>
  world.process.client.pending.filter((request) => request.title.startsWith(title));
const catchUp = (world: World) => {
  for (const cache of Object.values(world.process.caches)) cache.catchUp(Infinity);
};

/** Serves all but what has such a title, for as long as there is anything to serve or to begin; five seconds of it. */
async function serveAllBut(world: World, title: string): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) {
    catchUp(world);
    while (world.process.begin(0)) await settle();
    await settle();
    const next = world.process.client.pending.find((request) => !request.title.startsWith(title));
    next?.serve();
    await settle();
    await world.clock.advance(100);
  }
}

/** VM1 is let through; what would let VM2 through hangs. */
async function hanging(): Promise<World> {
  const world = new World();
  world.report('n1', [vm('vm1')]);
  world.apply('a', 'net', SPEC);
  await world.converge();
  world.report('n1', [vm('vm1'), vm('vm2')]);
  await serveAllBut(world, 'create');
  expect(titled(world, 'create')).toHaveLength(1);
  return world;
}

describe('a create hangs', () => {
  test('and the kill switch of its own network does not wait for it, nor is it a failure', async () => {
    const world = await hanging();
    world.apply('a', 'net', CLOSED);
    await serveAllBut(world, 'create');
    expect(statesOf(world)).toEqual(['vm1 Quarantined']);
    expect(world.process.failures).toEqual([]);
    // What was sent may be done: it is not taken back, only not waited for.
    expect(world.process.client.aborted).toEqual([]);
    expect(titled(world, 'create')).toHaveLength(1);
  });

  test.each([
    ['arrives all the same', true],
    ['never arrives', false],
  ])('and what it was about is as it should be in the end, if it %s', async (_, arrives) => {
    const world = await hanging();
    world.apply('a', 'net', CLOSED);
    await serveAllBut(world, 'create');
    const [hung] = titled(world, 'create');
    if (arrives) hung?.serve();
    else hung?.fail();
    await world.converge();
    expect(statesOf(world)).toEqual(['vm1 Quarantined', 'vm2 Quarantined']);
    expect(world.broken).toEqual([]);
  });

  test('and the end of the network does not wait for it', async () => {
    const world = await hanging();
    world.remove('a/net');
    await serveAllBut(world, 'create');
    expect(world.api.all<Attachment>(ATTACHMENTS).map(({ metadata }) => metadata.deletionTimestamp)).toEqual([
      expect.any(String),
    ]);
    // Its answer comes, and with it the end: nobody has to be sure first of a request that was cut off.
    await world.converge(SOON_MS);
    expect(world.api.all(NETWORKS)).toEqual([]);
    expect(world.broken).toEqual([]);
  });

  test('and a mere label on the network, which has no answer yet, changes nothing about it', async () => {
    const world = new World();
    world.report('n1', [vm('vm1')]);
    world.apply('a', 'net', SPEC);
    await serveAllBut(world, 'create');
    const network = world.api.find<Network>(NETWORKS, 'a/net')!;
    world.api.update(NETWORKS, { ...network, metadata: { ...network.metadata, labels: { of: 'people' } } });
    await serveAllBut(world, 'create');
    expect(world.process.client.aborted).toEqual([]);
    expect(titled(world, 'create')).toHaveLength(1);
  });
});

describe('a change of an attachment hangs', () => {
  const MOVED = { ...SPEC, consumerEndpoint: { address: '203.0.113.11', port: 51820 } };

  async function hangingUpdate(): Promise<World> {
    const world = new World();
    world.report('n1', [vm('vm1')]);
    world.apply('a', 'net', SPEC);
    await world.converge();
    world.apply('a', 'net', MOVED);
    await serveAllBut(world, 'update VMNetworkAttachment');
    expect(titled(world, 'update VMNetworkAttachment')).toHaveLength(1);
    return world;
  }

  test.each([
    ['arrives before the kill switch', 'first'],
    ['arrives after it', 'last'],
    ['never arrives', 'never'],
  ])('and the kill switch does not wait for it; if it %s, the VM is closed', async (_, arrives) => {
    const world = await hangingUpdate();
    world.apply('a', 'net', CLOSED);
    await serveAllBut(world, 'update VMNetworkAttachment');
    const [hung] = world.process.client.aborted;
    expect(hung?.title).toMatch(/^update VMNetworkAttachment a\//);
    if (arrives === 'first') hung?.serve();
    await world.converge();
    if (arrives === 'last') hung?.serve();
    await world.converge();
    expect(statesOf(world)).toEqual(['vm1 Quarantined']);
    expect(world.process.failures).toEqual([]);
    expect(world.broken).toEqual([]);
  });

  test('but it has a second, or a change in a loop would keep all of them from being made', async () => {
    const world = new World();
    world.report('n1', [vm('vm1')]);
    world.apply('a', 'net', SPEC);
    await world.converge();
    world.apply('a', 'net', MOVED);
    catchUp(world);
    while (titled(world, 'update VMNetworkAttachment').length === 0) {
      world.process.begin(0);
      await settle();
    }
    world.apply('a', 'net', CLOSED);
    catchUp(world);
    await world.clock.advance(999);
    expect(world.process.client.aborted).toEqual([]);
    await world.clock.advance(1);
    expect(world.process.client.aborted).toHaveLength(1);
  });
});

test('what closes is waited for, whatever is asked for meanwhile', async () => {
  const world = new World();
  world.report('n1', [vm('vm1')]);
  world.apply('a', 'net', SPEC);
  await world.converge();
  world.apply('a', 'net', CLOSED);
  await serveAllBut(world, 'update VMNetworkAttachment');
  world.apply('a', 'net', SPEC);
  await serveAllBut(world, 'update VMNetworkAttachment');
  expect(world.process.client.aborted).toEqual([]);
  expect(titled(world, 'update VMNetworkAttachment')).toHaveLength(1);
  await world.converge();
  expect(statesOf(world)).toEqual(['vm1 Active']);
});
