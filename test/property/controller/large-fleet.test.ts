/** Many VMs and many networks at once, over the model of the API server. */
import { describe, expect, test } from '@jest/globals';
import { ATTACHMENTS, NETWORKS } from '../../../src/controller/kinds.ts';
import type { Attachment, Network } from '../../../src/controller/kinds.ts';
import { World } from './support/world.ts';

const WEB = { app: 'web' };
const SPEC = { selector: { matchLabels: WEB }, consumerEndpoint: { address: '203.0.113.10', port: 51820 } };
/** A host reports 1,024 VMs at most. */
const ON_ONE_HOST = 1000;
const ROUNDS = 50_000;

function report(world: World, nodes: number): void {
  for (let node = 0; node < nodes; node += 1) {
    const vms = Array.from({ length: ON_ONE_HOST }, (_, index) => {
      const id = `vm-${node}-${index}`;
      return { id, name: id, labels: WEB, interfaces: [{ mac: '02:00:00:00:00:01' }] };
    });
    world.report(`n${node}`, vms);
  }
}

/** How many attachments each network has. */
function held(world: World): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { spec } of world.api.all<Attachment>(ATTACHMENTS))
    counts[spec.policy.network] = (counts[spec.policy.network] ?? 0) + 1;
  return counts;
}

function statusOf(world: World, key: string): string {
  const status = world.api.find<Network>(NETWORKS, key)?.status;
  const bound = status?.conditions?.find(({ type }) => type === 'Bound');
  return `${bound?.reason ?? ''} ${status?.attachments?.summary ?? ''}`;
}

describe('a fleet of', () => {
  test('1,000 VMs and 100 networks that share one label comes to rest, and again when the owner goes', async () => {
    const world = new World();
    report(world, 1);
    const keys = Array.from({ length: 100 }, (_, index) => `tenant-${index}/net-${index}`);
    for (const key of keys) {
      world.clock.stall(1000);
      const [namespace = '', name = ''] = key.split('/');
      world.apply(namespace, name, SPEC);
    }
    await world.converge(Infinity, ROUNDS);
    expect(held(world)).toEqual({ 'net-0': ON_ONE_HOST });
    const others = new Set(keys.slice(1).map((key) => statusOf(world, key)));
    expect([statusOf(world, 'tenant-0/net-0'), ...others]).toEqual(['Bound 1000/1000', 'Conflict 0/0']);
    // An attachment for each VM, and a status for each network, and some more for the one that is bound.
    const requests = world.process.client.requests;
    expect(requests).toBeLessThan(ON_ONE_HOST + 2 * keys.length);

    world.remove('tenant-0/net-0');
    await world.converge(Infinity, ROUNDS);
    expect(held(world)).toEqual({ 'net-1': ON_ONE_HOST });
    expect(statusOf(world, 'tenant-1/net-1')).toBe('Bound 1000/1000');
    expect(statusOf(world, 'tenant-99/net-99')).toBe('Conflict 0/0');
    // For each VM a delete, a release and a create.
    expect(world.process.client.requests - requests).toBeLessThan(3 * ON_ONE_HOST + 2 * keys.length);
    expect(world.broken).toEqual([]);
    expect(world.process.failures).toEqual([]);
  }, 120_000);

  test('10,000 VMs in one network comes to rest', async () => {
    const world = new World();
    report(world, 10);
    world.apply('a', 'net', SPEC);
    await world.converge(Infinity, ROUNDS);
    expect(held(world)).toEqual({ net: 10 * ON_ONE_HOST });
    expect(statusOf(world, 'a/net')).toBe('Bound 10000/10000');
    expect(world.process.client.requests).toBeLessThan(10 * ON_ONE_HOST + 200);
    expect(world.broken).toEqual([]);
    expect(world.process.failures).toEqual([]);
  }, 120_000);
});
