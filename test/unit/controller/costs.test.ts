import { describe, expect, test } from '@jest/globals';
import { ATTACHMENTS } from '../../../src/controller/kinds.ts';
import type { Attachment } from '../../../src/controller/kinds.ts';
import { settle } from '../../support/fake-clock.ts';
import { World } from '../../property/controller/support/world.ts';

const SPEC = { selector: { names: ['vm1'] }, consumerEndpoint: { address: '203.0.113.10', port: 51820 } };
const VM = { id: 'vm1', name: 'vm1', labels: {}, interfaces: [{ mac: '02:00:00:00:00:01' }] };

const attachments = (world: World) => world.api.all<Attachment>(ATTACHMENTS);

const catchUp = (world: World) => {
  for (const cache of Object.values(world.process.caches)) cache.catchUp(Infinity);
};

describe('the cost of a network', () => {
  test.each([
    [1, 'at once'],
    [1_000, 'in steps, and others have their turn in between'],
  ])('a network of %i cards is looked at %s', async (cards) => {
    const world = new World();
    const vms = Array.from({ length: cards }, (_, index) => ({ ...VM, id: `vm${index}` }));
    world.report('n1', vms);
    world.apply('b', 'young', SPEC);
    await world.converge();
    expect(attachments(world)).toHaveLength(cards);
    world.process.enqueue('network b/young');
    world.process.begin(0);
    let turns = 0;
    for (; !world.process.isIdle; turns += 1) await settle();
    expect(turns).toBe(cards === 1 ? 1 : 2);
  });

  test('a network is bound in three requests, and enforced in one more', async () => {
    const world = new World();
    world.report('n1', [VM]);
    await world.converge();
    const before = world.process.client.requests;
    world.apply('b', 'young', SPEC);
    catchUp(world);
    while (world.process.begin(0)) await settle();
    for (let turn = 0; turn < 10; turn += 1) {
      world.process.client.pending[0]?.serve();
      await settle();
    }
    expect(world.process.client.requests - before).toBe(3);
    await world.converge();
    expect(world.process.client.requests - before).toBe(4);
  });

  test('a heartbeat costs no pass, and neither does a report that says the same', async () => {
    const world = new World();
    world.report('n1', [VM]);
    world.apply('b', 'young', SPEC);
    await world.converge();
    const before = world.process.client.requests;
    for (let beat = 0; beat < 30; beat += 1) {
      world.clock.stall(10_000);
      world.beat('n1');
      world.report('n1', [structuredClone(VM)]);
      catchUp(world);
      expect(world.process.isIdle).toBe(true);
    }
    expect(world.process.client.requests).toBe(before);
  });

  test('a change of one VM touches its networks only', async () => {
    const world = new World();
    const vms = Array.from({ length: 50 }, (_, index) => ({
      ...VM,
      id: `vm${index}`,
      name: `vm${index}`,
      interfaces: [{ mac: `02:00:00:00:01:${(index + 16).toString(16)}` }],
    }));
    world.report('n1', vms);
    for (const { name } of vms) world.apply('b', name, { ...SPEC, selector: { names: [name] } });
    await world.converge();
    world.report('n1', vms.slice(1));
    catchUp(world);
    const touched: boolean[] = [];
    while (world.process.begin(0)) touched.push(true);
    expect(touched).toHaveLength(1);
  });
});
