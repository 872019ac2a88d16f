/** A Node joins: its address must not be anybody's endpoint. */
import { expect, test } from '@jest/globals';
import { World } from '../../property/controller/support/world.ts';
import { CLASSES, CLUSTER_NODES, NETWORKS, SERVICE_CIDRS } from '../../../src/controller/kinds.ts';
import type { ClusterNode, Network, NetworkClass } from '../../../src/controller/kinds.ts';

const service = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'ServiceCIDR',
  metadata: { name: 'kubernetes' },
  spec: { cidrs: ['10.96.0.0/12'] },
};

function tell(world: World, name: string, ...addresses: string[]): void {
  const before = world.api.find<ClusterNode>(CLUSTER_NODES, name);
  const status = { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) };
  const node =
    before ?? world.api.create(CLUSTER_NODES, { apiVersion: 'v1', kind: 'Node', metadata: { name } });
  world.api.update(CLUSTER_NODES, { ...node, status }, 'status');
}
const rangesOf = (world: World) => world.api.find<NetworkClass>(CLASSES, 'default')?.status?.clusterRanges;
const acceptedOf = (world: World, key: string) =>
  world.api.find<Network>(NETWORKS, key)?.status?.conditions?.find(({ type }) => type === 'Accepted')?.status;
const network = (world: World, name: string, address: string) =>
  world.apply('a', name, { selector: { names: [name] }, consumerEndpoint: { address, port: 51820 } });

/** In a time of calm: addresses of a Node moved just now. */
async function calm(): Promise<World> {
  const world = new World();
  // Without one not all is known, and nothing goes.
  world.api.create(SERVICE_CIDRS, service);
  tell(world, 'first', '203.0.113.1');
  tell(world, 'other', '203.0.113.3');
  await world.converge(60_000);
  tell(world, 'first', '203.0.113.5');
  await world.converge(100);
  tell(world, 'first', '203.0.113.7');
  await world.converge(1_000);
  return world;
}

test('the class denies it at once, and keeps what is told no more until all is calm', async () => {
  const world = await calm();
  const before = rangesOf(world) ?? [];
  tell(world, 'first', '203.0.113.9');
  tell(world, 'joined', '203.0.113.20');
  await world.converge(100);
  expect(rangesOf(world)).toEqual(expect.arrayContaining([...before, '203.0.113.9/32', '203.0.113.20/32']));
  await world.converge(15_000);
  expect(rangesOf(world)).toEqual(['10.96.0.0/12', '203.0.113.3/32', '203.0.113.9/32', '203.0.113.20/32']);
});

test('a network that names it is refused before the class says so, and one that names what is denied no more, after', async () => {
  const world = await calm();
  tell(world, 'joined', '203.0.113.20');
  network(world, 'early', '203.0.113.20');
  await world.converge(0);
  expect(rangesOf(world)).not.toContain('203.0.113.20/32');
  expect(acceptedOf(world, 'a/early')).toBe('False');
  // Gone before the class ever said so: no event of the class tells the network.
  world.api.delete(CLUSTER_NODES, 'joined');
  await world.converge(50);
  expect(rangesOf(world)).not.toContain('203.0.113.20/32');
  expect(acceptedOf(world, 'a/early')).toBe('False');
  await world.converge(20_000);
  expect(acceptedOf(world, 'a/early')).toBe('True');
});
