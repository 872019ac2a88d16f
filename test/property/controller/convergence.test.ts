import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { NETWORKS } from '../../../src/controller/kinds.ts';
import type { Network } from '../../../src/controller/kinds.ts';
import { boundCondition } from '../../../src/controller/vmnetwork/binding.ts';
import { settle } from '../../support/fake-clock.ts';
import type { Truth } from './support/truth.ts';
import { World } from './support/world.ts';

const CACHES = ['networks', 'classes', 'attachments', 'nodes', 'leases'];
const LABELS = [{ team: 'x' }, { team: 'y' }, { team: 'x', tier: '1' }];
const ADDRESSES = ['203.0.113.10', '203.0.113.11', '198.51.100.7'];

/** Who there is. The fewer there are, the more they get in each other's way. */
interface Cast {
  readonly networks: readonly string[];
  readonly nodes: readonly string[];
  readonly vms: readonly string[];
  readonly classes: readonly string[];
  /** VMs have uuids, and what is reported by two hosts migrates. */
  readonly uuids: boolean;
}

const TOWN: Cast = {
  networks: ['a/one', 'a/two', 'b/one', 'b/two'],
  nodes: ['n1', 'n2'],
  vms: ['vm1', 'vm2', 'vm3'],
  classes: ['default', 'lax'],
  uuids: true,
};
/** Two tenants, one VM. */
const DUEL: Cast = {
  networks: ['a/one', 'b/one'],
  nodes: ['n1'],
  vms: ['vm1'],
  classes: ['default'],
  uuids: true,
};

type Step = (world: World) => void | Promise<void>;

interface NamedStep {
  readonly title: string;
  readonly run: Step;
}

/** What people and hosts do. */
function changesOf({ networks, nodes, vms, classes, uuids }: Cast): fc.WeightedArbitrary<NamedStep>[] {
  const names = fc.subarray([...vms], { minLength: 1 });
  const selector = fc.oneof(
    { weight: 3, arbitrary: fc.record({ names }) },
    { weight: 1, arbitrary: fc.record({ matchLabels: fc.constantFrom(...LABELS) }) },
    { weight: 1, arbitrary: fc.record({ names, nodeName: fc.constantFrom(...nodes) }) },
    { weight: 1, arbitrary: names.map((some) => ({ uuids: some.map(uuidOf) })) },
  );
  const spec = fc.record({
    className: fc.constantFrom(...classes),
    selector,
    consumerEndpoint: fc.record({
      address: fc.constantFrom(...ADDRESSES),
      port: fc.constantFrom(51820, 51820, 53),
    }),
    endpointGraceSeconds: fc.constantFrom(0, 0, 30),
  });
  const classSpec = fc.record({
    deniedPorts: fc.constantFrom([], [53]),
    deniedDestinations: fc.constantFrom({}, { networks: ['198.51.100.0/24'] }),
    vmOwnership: fc.constantFrom('Any', 'NamespaceIfReported', 'Namespace'),
  });
  const machines = fc.uniqueArray(
    fc.record({
      name: fc.constantFrom(...vms),
      namespace: fc.constantFrom('a', 'b', undefined),
      hasUuid: uuids ? fc.boolean() : fc.constant(false),
      labels: fc.constantFrom({}, ...LABELS),
      cards: fc.integer({ min: 0, max: 2 }),
    }),
    { selector: ({ name }) => name, maxLength: vms.length },
  );
  const network = fc.constantFrom(...networks);
  const node = fc.constantFrom(...nodes);
  const className = fc.constantFrom(...classes);
  return [
    weighted(4, fc.tuple(network, spec), ([key, given]) => [
      `apply ${key} ${JSON.stringify(given)}`,
      (world) => {
        world.clock.stall(1000);
        const [namespace = '', name = ''] = key.split('/');
        world.apply(namespace, name, given);
      },
    ]),
    weighted(2, network, (key) => [`delete ${key}`, (world) => world.remove(key)]),
    weighted(1, network, (key) => [`strip ${key}`, (world) => world.strip(key)]),
    weighted(1, fc.tuple(className, classSpec), ([name, given]) => [
      `class ${name} ${JSON.stringify(given)}`,
      (world) => world.setClass(name, given),
    ]),
    weighted(1, className, (name) => [`no class ${name}`, (world) => world.removeClass(name)]),
    weighted(3, fc.tuple(node, machines), ([name, given]) => [
      `report ${name} ${JSON.stringify(given)}`,
      (world) => world.report(name, given.map(machine)),
    ]),
    weighted(1, node, (name) => [`no node ${name}`, (world) => world.removeNode(name)]),
  ];
}

/** That, and what the controller goes through meanwhile. */
function stepsOf(cast: Cast): fc.Arbitrary<NamedStep[]> {
  const how = fc.constantFrom<'serve' | 'serveLate' | 'loseAnswer' | 'fail' | 'refuse'>(
    ...(['serve', 'serve', 'serve', 'serveLate', 'serveLate', 'loseAnswer', 'fail', 'refuse'] as const),
  );
  const step = fc.oneof(
    ...changesOf(cast),
    weighted(1, fc.constant(null), () => ['no definition of nodes', (world) => world.loseNodes()]),
    weighted(2, fc.constant(null), () => ['a definition of nodes', (world) => world.defineNodes()]),
    weighted(4, fc.constantFrom(...cast.nodes), (name) => [`agent ${name}`, (world) => world.answer(name)]),
    weighted(8, fc.tuple(fc.constantFrom(...CACHES), fc.integer({ min: 1, max: 4 })), ([cache, most]) => [
      `cache ${cache} ${most}`,
      (world) => world.process.catchUp(cache, most),
    ]),
    weighted(1, fc.constantFrom(...CACHES), (cache) => [
      `relist ${cache}`,
      (world) => world.process.caches[cache]?.relist(),
    ]),
    weighted(8, fc.nat(7), (pick) => [`work ${pick}`, (world) => void world.process.begin(pick)]),
    weighted(12, fc.tuple(fc.nat(7), how), ([pick, end]) => [
      `${end} ${pick}`,
      (world) => {
        const { pending } = world.process.client;
        pending[pick % Math.max(pending.length, 1)]?.[end]();
      },
    ]),
    weighted(1, fc.constant(null), () => ['restart', (world) => world.restart()]),
    weighted(2, fc.constant(null), () => ['rest', (world) => world.converge(1_000)]),
    weighted(1, fc.constantFrom(6, 31_000, 80_000), (ms) => [
      `time ${ms}`,
      (world) => {
        world.clock.stall(ms);
        world.process.tick();
      },
    ]),
  );
  return fc.array(step, { minLength: 20, maxLength: 100, size: 'max' });
}

function weighted<T>(weight: number, given: fc.Arbitrary<T>, make: (value: T) => [string, Step]) {
  const arbitrary = given.map((value) => named(...make(value)));
  return { weight, arbitrary };
}

function named(title: string, run: Step) {
  return { title, run, toString: () => title };
}

function machine({
  name,
  namespace,
  hasUuid,
  labels,
  cards,
}: {
  name: string;
  namespace: string | undefined;
  hasUuid: boolean;
  labels: object;
  cards: number;
}) {
  const interfaces = Array.from({ length: cards }, (_, index) => ({
    mac: `02:00:00:00:0${index}:0${name.slice(2)}`,
  }));
  return {
    ...{ id: name, name, labels, interfaces },
    ...(namespace !== undefined && { namespace }),
    ...(hasUuid && { uuid: uuidOf(name) }),
  };
}

const uuidOf = (name: string): string => `6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c0${name.slice(2)}`;

describe('the controller over a model of the API server', () => {
  test.each([
    ['in a small town', TOWN],
    ['between two tenants and one VM', DUEL],
  ])(
    'whatever happens in whatever order %s: never two attachments for one card, and in the end what was asked for',
    async (_, cast) => {
      await fc.assert(
        fc.asyncProperty(stepsOf(cast), fc.boolean(), async (steps, loses) => {
          const world = new World();
          for (const { run } of steps) {
            await run(world);
            await settle();
            expect(world.broken).toEqual([]);
            expect(world.process.misremembered).toEqual([]);
          }
          // A definition that is back before the agents are: nothing is released for that.
          if (loses) world.loseNodes();
          world.defineNodes();
          await world.converge(60_000);
          expect(world.broken).toEqual([]);
          await world.mendNodes();
          await world.converge();
          checkRest(world, world.truth.expected());

          // At rest: asked about everything again, it writes nothing; nor does a new leader.
          const version = world.api.version;
          for (const { metadata } of world.api.all<Network>(NETWORKS))
            world.process.enqueue(`network ${metadata.namespace ?? ''}/${metadata.name}`);
          await world.converge();
          world.restart();
          await world.converge();
          expect(writesSince(world, version)).toEqual([]);
        }),
        { numRuns: 150 },
      );
    },
    120_000,
  );

  test('one change after the other: who holds a VM keeps it for as long as it may, and then the oldest has it', async () => {
    // Of two hosts that come to report one VM at once, either may be first.
    const step = fc.oneof(...changesOf({ ...TOWN, uuids: false }));
    const changes = fc.array(step, { minLength: 10, maxLength: 40, size: 'max' });
    await fc.assert(
      fc.asyncProperty(changes, async (steps) => {
        const world = new World();
        for (const { run } of steps) {
          const before = world.truth.holders();
          await run(world);
          await world.converge();
          checkRest(world, world.truth.expected(before));
        }
      }),
      { numRuns: 60 },
    );
  }, 120_000);
});

/** Nothing is left to do, and it came out so. */
function checkRest(world: World, expected: ReturnType<Truth['expected']>): void {
  expect(world.broken).toEqual([]);
  expect(world.process.misremembered).toEqual([]);
  expect(sorted(world.truth.actual())).toEqual(sorted(expected));
  for (const network of world.api.all<Network>(NETWORKS))
    expect(network.metadata.deletionTimestamp).toBeUndefined();
  checkStatuses(world);
}

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

function checkStatuses(world: World): void {
  for (const network of world.api.all<Network>(NETWORKS)) {
    const { status, metadata } = network;
    const of = (type: string) => status?.conditions?.find((condition) => condition.type === type);
    expect(status?.observedGeneration).toBe(metadata.generation);
    const bound = boundCondition(network, world.truth.selected(network));
    expect(of('Bound')).toMatchObject(bound);
    expect(of('Accepted')?.status).toBe(world.truth.isRefused(network) ? 'False' : 'True');
    const key = `${metadata.namespace ?? ''}/${metadata.name}`;
    const cards = [...world.truth.expected().values()].filter((card) => card.network === key).length;
    if (!world.truth.isRefused(network)) {
      expect(status?.attachments?.summary).toBe(`${cards}/${cards}`);
      expect(of('Enforced')?.status).toBe(cards > 0 ? 'True' : 'False');
      expect(of('Ready')?.status).toBe(cards > 0 && of('Bound')?.status === 'True' ? 'True' : 'False');
    } else {
      expect(of('Ready')?.status).toBe('False');
    }
    expect(of('Reconciling')?.status).toBe('False');
  }
}

/** All but heartbeats. */
function writesSince(world: World, version: number): string[] {
  const types = [
    NETWORKS,
    { ...NETWORKS, plural: 'vmnetworkattachments' },
    { ...NETWORKS, plural: 'vmnetworkclasses' },
  ];
  return types.flatMap((type) =>
    world.api
      .log(type)
      .filter(({ object }) => Number(object.metadata.resourceVersion) > version)
      .map(({ object }) => `${type.plural} ${object.metadata.name}`),
  );
}
