/** What closes goes out first, whatever else of the pass fails or takes its time. */
import { describe, expect, test } from '@jest/globals';
import {
  ATTACHMENTS,
  CLOSED_FINALIZER,
  HOST_NODES,
  NETWORKS,
  SECRETS,
} from '../../../src/controller/kinds.ts';
import type { Attachment, Network } from '../../../src/controller/kinds.ts';
import { settle } from '../../support/fake-clock.ts';
import { World } from '../../property/controller/support/world.ts';

const SPEC = {
  selector: { names: ['vm1', 'vm2'] },
  consumerEndpoint: { address: '203.0.113.10', port: 51820 },
};
const QUARANTINED = { ...SPEC, desiredState: 'Quarantined' };
const WITH_SECRET = { ...SPEC, wireGuard: { presharedKeySecretRef: { name: 'tunnel', key: 'psk' } } };
const SOON_MS = 2_000;
const vm = (name: string, digit: string) => ({
  id: name,
  name,
  labels: {},
  interfaces: [{ mac: `02:00:00:00:00:0${digit}` }],
});
const VM = vm('vm1', '1');
const OTHER_VM = vm('vm2', '2');

const attachments = (world: World) => world.api.all<Attachment>(ATTACHMENTS);
const network = (world: World) => world.api.all<Network>(NETWORKS)[0];
const condition = (world: World, type: string) =>
  network(world)?.status?.conditions?.find((one) => one.type === type);
const isQuarantined = (world: World) =>
  attachments(world).every(({ spec }) => spec.policy.desiredState === 'Quarantined');

async function bound(): Promise<World> {
  const world = new World();
  world.report('n1', [VM]);
  world.apply('a', 'one', SPEC);
  await world.converge(SOON_MS);
  return world;
}

const seeAll = (world: World) => {
  for (const cache of Object.values(world.process.caches)) cache.catchUp(Infinity);
};

/** Works until nothing moves; the requests of which `refused` says so fail as it says, and their titles are given in order. */
async function work(
  world: World,
  fate: (title: string) => 'serve' | 'fail' | 'refuse' = () => 'serve',
): Promise<string[]> {
  seeAll(world);
  const titles: string[] = [];
  while (true) {
    await settle();
    const [next] = world.process.client.pending;
    if (next === undefined && !world.process.begin(0)) return titles;
    if (next === undefined) continue;
    titles.push(next.title.trim());
    next[fate(next.title)]();
  }
}

const nameOf = (world: World) => attachments(world)[0]?.metadata.name ?? '';

describe('the kill switch', () => {
  test('goes out before a host that is missing is asked for, and although nobody answers', async () => {
    const world = await bound();
    world.loseNodes();
    world.apply('a', 'one', QUARANTINED);
    const titles = await work(world, (title) => (title.startsWith('list') ? 'fail' : 'serve'));
    expect(titles.slice(0, 2)).toEqual([
      `update VMNetworkAttachment a/${nameOf(world)}`,
      'list VMNetworkNode',
    ]);
    expect(isQuarantined(world)).toBe(true);
    expect(world.process.failures).toEqual([]);
    expect(network(world)?.status?.observedGeneration).toBe(2);
  });

  test('goes out before the Secret is asked for, and although it cannot be read', async () => {
    const world = await bound();
    world.apply('a', 'one', { ...WITH_SECRET, desiredState: 'Quarantined' });
    const titles = await work(world, (title) => (title.startsWith('get Secret') ? 'fail' : 'serve'));
    expect(titles.slice(0, 2)).toEqual([
      `update VMNetworkAttachment a/${nameOf(world)}`,
      'get Secret a/tunnel',
    ]);
    expect(isQuarantined(world)).toBe(true);
    expect(condition(world, 'Accepted')).toMatchObject({ status: 'Unknown', reason: 'InvalidSecret' });
  });

  test('goes out before the network gets its finalizer back, and although that is refused', async () => {
    const world = await bound();
    world.strip('a/one');
    world.apply('a', 'one', QUARANTINED);
    const finalizer = 'update VMNetwork a/one';
    const titles = await work(world, (title) => (title.trim() === finalizer ? 'refuse' : 'serve'));
    expect(titles.slice(0, 2)).toEqual([`update VMNetworkAttachment a/${nameOf(world)}`, finalizer]);
    expect(isQuarantined(world)).toBe(true);
    // Of what stands nothing failed.
    expect(condition(world, 'Programmed')?.reason).not.toBe('ProgrammingFailed');
    expect(network(world)?.status?.observedGeneration).toBe(2);
    await world.converge(SOON_MS);
    expect(network(world)?.metadata.finalizers).toEqual([CLOSED_FINALIZER]);
  });

  test('goes out before what is new, and although that is refused', async () => {
    const world = await bound();
    world.report('n1', [VM, OTHER_VM]);
    world.apply('a', 'one', QUARANTINED);
    const titles = await work(world, (title) => (title.startsWith('create') ? 'refuse' : 'serve'));
    expect(titles.map((title) => title.split(' ')[0])).toEqual(['update', 'create', 'update']);
    expect(isQuarantined(world)).toBe(true);
    expect(condition(world, 'Programmed')).toMatchObject({ status: 'False', reason: 'ProgrammingFailed' });
  });

  test('goes out although nobody can tell what became of an earlier write', async () => {
    const world = await bound();
    world.report('n1', [VM, OTHER_VM]);
    await work(world, (title) => (title.startsWith('create') ? 'fail' : 'serve'));
    world.clock.stall(31_000);
    world.beat('n1');
    world.apply('a', 'one', QUARANTINED);
    const titles = await work(world, (title) => (title.startsWith('get') ? 'fail' : 'serve'));
    expect(titles.slice(0, 2).map((title) => title.split(' ').slice(0, 2))).toEqual([
      ['update', 'VMNetworkAttachment'],
      ['get', 'VMNetworkAttachment'],
    ]);
    expect(isQuarantined(world)).toBe(true);
    expect(attachments(world)).toHaveLength(2);
  });
});

describe('a network', () => {
  test.each(['that is deleted', 'that was deleted without its finalizer'])(
    '%s has its VMs denied, whether or not a missing host can be asked for',
    async (how) => {
      const world = await bound();
      world.loseNodes();
      if (how !== 'that is deleted') world.strip('a/one');
      world.remove('a/one');
      const titles = await work(world, (title) => (title.startsWith('list') ? 'fail' : 'serve'));
      expect(titles[0]).toBe(`delete VMNetworkAttachment a/${nameOf(world)}`);
      expect(attachments(world)[0]?.metadata.deletionTimestamp).toBeDefined();
      expect(attachments(world)).toHaveLength(1);
      await world.mendNodes();
      await world.converge();
      expect(world.broken).toEqual([]);
      expect(attachments(world)).toEqual([]);
    },
  );

  test('of an unread Secret is refused by its class all the same', async () => {
    const world = new World();
    const psk = Buffer.from(Buffer.alloc(32, 7).toString('base64')).toString('base64');
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { namespace: 'a', name: 'tunnel' } };
    world.api.create(SECRETS, { ...secret, data: { psk } } as never);
    world.report('n1', [VM]);
    world.apply('a', 'one', WITH_SECRET);
    await world.converge(SOON_MS);
    world.setClass('default', { deniedPorts: [51820] });
    world.clock.stall(600_000);
    const titles = await work(world, (title) => (title.startsWith('get Secret') ? 'fail' : 'serve'));
    expect(titles[0]).toBe(`delete VMNetworkAttachment a/${nameOf(world)}`);
  });
});

describe('without a look at its Secret', () => {
  test('a guest is not told to give up its tunnel for a moment', async () => {
    const world = await bound();
    expect(attachments(world)[0]?.spec.policy.wireGuard).toBeDefined();
    world.apply('a', 'one', { ...WITH_SECRET, mode: 'Conntrack' });
    const titles = await work(world);
    expect(titles[0]).toBe('get Secret a/tunnel');
  });
});

describe('a host that is missing', () => {
  test('holds what it has, and the status says that nothing is known of it', async () => {
    const world = await bound();
    expect(condition(world, 'Ready')?.status).toBe('True');
    world.loseNodes();
    await work(world);
    expect(world.process.failures).toEqual([]);
    expect(network(world)?.status?.attachments).toMatchObject({ desired: 1, enforced: 0 });
    expect(condition(world, 'Enforced')).toMatchObject({
      ...{ status: 'Unknown', reason: 'AgentStale' },
      message: 'the VMNetworkNode of n1 is missing, or tells nothing yet; the filter in the kernel stays',
    });
    expect(condition(world, 'Ready')?.status).not.toBe('True');

    world.defineNodes();
    await world.converge(20_000);
    expect(attachments(world)).toHaveLength(1);
    expect(world.broken).toEqual([]);
    await world.mendNodes();
    await world.converge(SOON_MS);
    expect(condition(world, 'Ready')?.status).toBe('True');
  });
});

test('a host that is there again and has not told of its VMs yet keeps what it has', async () => {
  const world = await bound();
  const before = attachments(world)[0]?.metadata.uid;
  world.loseNodes();
  world.defineNodes();
  const identity = { apiVersion: 'vmnetwork.io/v1alpha1', kind: 'VMNetworkNode' };
  world.api.create(HOST_NODES, { ...identity, metadata: { name: 'n1' } });
  world.beat('n1');
  // Nobody need be asked about it either.
  expect(await work(world)).toEqual([
    `update VMNetworkAttachment a/${nameOf(world)}`,
    'update VMNetwork a/one status',
  ]);
  await world.mendNodes();
  await world.converge(SOON_MS);
  expect(attachments(world)[0]?.metadata.uid).toBe(before);
  expect(condition(world, 'Ready')?.status).toBe('True');
});
