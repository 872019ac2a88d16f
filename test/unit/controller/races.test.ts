import { describe, expect, test } from '@jest/globals';
import { ATTACHMENTS, CLOSED_FINALIZER, NETWORKS } from '../../../src/controller/kinds.ts';
import type { Attachment, Network } from '../../../src/controller/kinds.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import { settle } from '../../support/fake-clock.ts';
import { World } from '../../property/controller/support/world.ts';

const SPEC = { selector: { names: ['vm1'] }, consumerEndpoint: { address: '203.0.113.10', port: 51820 } };
const OTHER = { ...SPEC, consumerEndpoint: { address: '203.0.113.11', port: 51820 } };
const VM = { id: 'vm1', name: 'vm1', labels: {}, interfaces: [{ mac: '02:00:00:00:00:01' }] };

const attachments = (world: World) => world.api.all<Attachment>(ATTACHMENTS);

/** Serves the requests of the controller up to, and not including, one whose title begins so. */
async function serveUntil(world: World, title: string): Promise<void> {
  for (let turn = 0; turn < 100; turn += 1) {
    await settle();
    const { pending } = world.process.client;
    if (pending.some((request) => request.title.startsWith(title))) return;
    // Whoever begins may ask at once.
    if (pending.length > 0) pending[0]?.serve();
    else if (!world.process.begin(0)) break;
  }
  throw new Error(
    `there is no request "${title}": ${world.process.client.pending.map(({ title: one }) => one).join()}`,
  );
}

function serve(
  world: World,
  title: string,
  how: 'serve' | 'serveLate' | 'loseAnswer' | 'fail' | 'refuse' = 'serve',
): void {
  const found = world.process.client.pending.find((request) => request.title.startsWith(title));
  if (found === undefined) throw new Error(`there is no request "${title}"`);
  found[how]();
}

const catchUp = (world: World) => {
  for (const cache of Object.values(world.process.caches)) cache.catchUp(Infinity);
};

/** One VM, and a network b/young of its own; everything in the caches. */
function oneVm(): World {
  const world = new World();
  world.report('n1', [VM]);
  world.apply('b', 'young', SPEC);
  catchUp(world);
  return world;
}

describe('two networks, one card', () => {
  test('both plan for it at once: the second sees the claim of the first, before any cache does', async () => {
    const world = new World();
    world.report('n1', [VM]);
    world.clock.stall(1000);
    world.apply('b', 'young', SPEC);
    catchUp(world);
    // The young one has planned and is writing its finalizer when an older one comes to select the VM.
    await serveUntil(world, 'update VMNetwork b/young');
    world.clock.stepWall(-3_600_000);
    world.apply('a', 'old', OTHER);
    catchUp(world);
    world.process.begin(0);
    await serveUntil(world, 'update VMNetwork a/old');
    serve(world, 'update VMNetwork b/young');
    serve(world, 'update VMNetwork a/old');
    await settle();
    const creates = world.process.client.pending.filter(({ title }) => title.startsWith('create'));
    expect(creates).toHaveLength(1);
    await world.converge();
    expect(world.broken).toEqual([]);
    expect(attachments(world).map(({ spec }) => spec.policy.network)).toEqual(['young']);
  });

  test.each([
    ['that was made', 'serve'],
    ['whose answer was lost', 'loseAnswer'],
  ] as const)('an attachment %s keeps the card before any cache shows it', async (_, how) => {
    const world = oneVm();
    await serveUntil(world, 'create');
    serve(world, 'create', how);
    await settle();
    // The cache knows nothing of it, and an older network wants the card.
    world.clock.stepWall(-3_600_000);
    world.apply('a', 'old', OTHER);
    world.process.catchUp('networks', Infinity);
    while (world.process.begin(0)) await settle();
    for (let turn = 0; turn < 20; turn += 1) {
      const next = world.process.client.pending.find(
        ({ title }) => !title.startsWith('update VMNetwork b/young'),
      );
      next?.serve();
      await settle();
    }
    expect(world.broken).toEqual([]);
    expect(attachments(world)).toHaveLength(1);
    await world.converge();
    expect(world.broken).toEqual([]);
    expect(attachments(world).map(({ spec }) => spec.policy.network)).toEqual(['young']);
  });

  test('a create that never arrived frees the card in the end', async () => {
    const world = oneVm();
    await serveUntil(world, 'create');
    serve(world, 'create', 'fail');
    await settle();
    world.remove('b/young');
    world.apply('a', 'late', OTHER);
    await world.converge(60_000);
    expect(attachments(world)).toHaveLength(0);
    // No request can be under way any more, and the cache shows nothing.
    await world.converge();
    expect(attachments(world).map(({ spec }) => spec.policy.network)).toEqual(['late']);
    expect(world.api.all<Network>(NETWORKS).map(({ metadata }) => metadata.name)).toEqual(['late']);
  });

  test('nor does it free the card any sooner when the next one is refused', async () => {
    const world = oneVm();
    await serveUntil(world, 'create');
    serve(world, 'create', 'fail');
    await settle();
    world.clock.stall(10);
    world.process.tick();
    await serveUntil(world, 'create');
    serve(world, 'create', 'refuse');
    await settle();
    world.remove('b/young');
    world.apply('a', 'late', OTHER);
    await world.converge(60_000);
    expect(attachments(world)).toHaveLength(0);
    await world.converge();
    expect(attachments(world).map(({ spec }) => spec.policy.network)).toEqual(['late']);
  });

  test('a create that meets itself keeps the card, also when the look at it fails', async () => {
    const world = oneVm();
    await serveUntil(world, 'create');
    serve(world, 'create', 'loseAnswer');
    await settle();
    // Again, after the back-off: the first one is there already, and then nobody answers.
    world.clock.stall(10);
    world.process.tick();
    await serveUntil(world, 'create');
    serve(world, 'create');
    await settle();
    serve(world, 'get', 'fail');
    await settle();
    world.clock.stepWall(-3_600_000);
    world.apply('a', 'old', OTHER);
    world.process.catchUp('networks', Infinity);
    for (let turn = 0; turn < 20; turn += 1) {
      world.process.begin(0);
      await settle();
      world.process.client.pending[0]?.serve();
    }
    expect(world.broken).toEqual([]);
    expect(attachments(world)).toHaveLength(1);
    await world.converge();
    expect(world.broken).toEqual([]);
  });

  test('a network that is deleted while its create is in doubt stays until that is settled', async () => {
    const world = oneVm();
    await serveUntil(world, 'create');
    serve(world, 'create', 'loseAnswer');
    await settle();
    world.remove('b/young');
    world.process.catchUp('networks', Infinity);
    for (let turn = 0; turn < 20; turn += 1) {
      world.process.begin(0);
      await settle();
      world.process.client.pending[0]?.serve();
    }
    expect(world.broken).toEqual([]);
    expect(world.api.all(NETWORKS)).toHaveLength(1);
    await world.converge();
    expect(world.broken).toEqual([]);
    expect(world.api.all(NETWORKS)).toEqual([]);
  });

  test('a create that the server refuses frees the card at once for whoever waits', async () => {
    const world = oneVm();
    await serveUntil(world, 'create');
    world.clock.stepWall(-3_600_000);
    world.apply('a', 'old', OTHER);
    catchUp(world);
    world.process.begin(0);
    await settle();
    // The old one waits: a claim is on the card. Then the claim is gone, and no event of a cache says so.
    while (world.process.begin(0)) await settle();
    serve(world, 'update VMNetwork a/old');
    await settle();
    expect(world.process.client.pending.filter(({ title }) => title.startsWith('create'))).toHaveLength(1);
    serve(world, 'create', 'refuse');
    await world.converge();
    expect(attachments(world).map(({ spec }) => spec.policy.network)).toEqual(['old']);
  });

  test('a create that the server refuses is tried again by the back-off, not at once', async () => {
    const world = oneVm();
    await serveUntil(world, 'create');
    serve(world, 'create', 'refuse');
    await settle();
    const { pending } = world.process.client;
    for (let turn = 0; turn < 10 && pending.length > 0; turn += 1) {
      pending[0]?.serve();
      await settle();
    }
    expect(world.process.begin(0)).toBe(false);
    await world.converge();
    expect(attachments(world)).toHaveLength(1);
  });
});

test('a create that is answered with 404 is a failure with a reason, and tried again later each time', async () => {
  const world = oneVm();
  const { client } = world.process;
  const missing = new ApiError('create: 404 NotFound', { status: 404, reason: 'NotFound' });
  client.create = () => Promise.reject(missing);
  catchUp(world);
  for (let turn = 0; turn < 10 && world.process.failures.length === 0; turn += 1) {
    world.process.begin(0);
    await settle();
    for (const request of [...client.pending]) request.serve();
    await settle();
  }
  expect(world.process.failures).toEqual([expect.objectContaining({ name: 'NoPlace', cause: missing })]);
  const conditions = world.api.find<Network>(NETWORKS, 'b/young')?.status?.conditions;
  expect(conditions?.find(({ type }) => type === 'Programmed')).toMatchObject({
    ...{ status: 'False', reason: 'ProgrammingFailed' },
    message: expect.stringContaining('namespace b is gone, or the CustomResourceDefinition'),
  });
  Reflect.deleteProperty(client, 'create');
  await world.converge();
  expect(attachments(world)).toHaveLength(1);
});

describe('an object of something else that stands under the name of an attachment', () => {
  /** Of a network that is no more, for a card of another host. */
  const inTheWay = (name: string): Attachment =>
    ({
      apiVersion: 'vmnetwork.io/v1alpha1',
      kind: 'VMNetworkAttachment',
      metadata: { name, namespace: 'b', finalizers: [CLOSED_FINALIZER] },
      spec: {
        nodeName: 'n2',
        vm: { id: 'other', name: 'other' },
        interface: { mac: '02:00:00:00:00:99' },
        policy: { network: 'other' },
        policyGeneration: 1,
      },
    }) as Attachment;

  /** The name that the attachment of b/young will have. */
  const nameOf = async (): Promise<string> => {
    const world = oneVm();
    await world.converge();
    return attachments(world)[0]?.metadata.name ?? '';
  };

  test.each([
    ['before any cache shows it', false],
    ['as the cache shows', true],
  ])('%s is looked at again, for its end is told to others only', async (_, isKnown) => {
    const world = oneVm();
    world.report('n2', []);
    catchUp(world);
    if (isKnown) {
      world.api.create(ATTACHMENTS, inTheWay(await nameOf()));
      catchUp(world);
      while (world.process.begin(0)) await settle();
    } else {
      await serveUntil(world, 'create');
      world.api.create(ATTACHMENTS, inTheWay(await nameOf()));
      world.answer('n2');
      serve(world, 'create');
      await settle();
      serve(world, 'get VMNetworkAttachment');
      await settle();
      // The one event that there is of it: it appears as it was found.
      world.process.caches['attachments']?.relist();
    }
    // Before what the caches are late with is looked for.
    await world.converge(20_000);
    expect(world.broken).toEqual([]);
    expect(attachments(world).map(({ spec }) => spec.policy.network)).toEqual(['young']);
  });
});

describe('a network whose finalizer somebody took off', () => {
  test('goes, and its attachments are still denied before they go', async () => {
    const world = oneVm();
    await world.converge();
    expect(attachments(world)).toHaveLength(1);
    world.strip('b/young');
    world.remove('b/young');
    expect(world.api.all(NETWORKS)).toEqual([]);
    await world.converge();
    expect(world.broken).toEqual([]);
    expect(attachments(world)).toEqual([]);
  });

  test('and made again at once under its name gets a new attachment after the old one is gone', async () => {
    const world = oneVm();
    await world.converge();
    const [former] = attachments(world);
    world.strip('b/young');
    world.remove('b/young');
    world.apply('b', 'young', OTHER);
    await world.converge();
    const [now] = attachments(world);
    expect(world.broken).toEqual([]);
    expect(now?.metadata.uid).not.toBe(former?.metadata.uid);
    expect(now?.spec.policy.consumerEndpoint?.address).toBe('203.0.113.11');
  });
});

test('the end of an attachment that the cache shows before the answer to our own write is the end', async () => {
  const world = oneVm();
  await world.converge();
  world.remove('b/young');
  catchUp(world);
  await serveUntil(world, 'delete');
  serve(world, 'delete');
  await settle();
  world.answer('n1');
  catchUp(world);
  await serveUntil(world, 'update VMNetworkAttachment');
  serve(world, 'update VMNetworkAttachment', 'serveLate');
  catchUp(world);
  serve(world, 'answer to update VMNetworkAttachment');
  await settle();
  await world.converge(1_000);
  expect(world.api.all(NETWORKS)).toEqual([]);
});
