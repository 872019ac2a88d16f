import { describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { cidrContains, parseCidr } from '../../../src/api/v1alpha1/cidr.ts';
import { formatIpv4Address } from '../../../src/api/v1alpha1/ipv4-address.ts';
import { clusterRanges } from '../../../src/controller/class/cluster-ranges.ts';
import { cover } from '../../../src/controller/class/cover.ts';
import { planClassStatus } from '../../../src/controller/class/plan.ts';
import { RangeKeeper } from '../../../src/controller/class/range-keeper.ts';
import { reconcileClass } from '../../../src/controller/class/reconciler.ts';
import type { ClusterNode, ServiceCidr } from '../../../src/controller/kinds.ts';
import { IndexedStore } from '../../../src/kube/store/store.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { networkClass } from './support/objects.ts';

const node = (name: string, addresses: string[], podCIDRs?: string[], created?: string): ClusterNode => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, ...(created === undefined ? {} : { creationTimestamp: created }) },
  ...(podCIDRs === undefined ? {} : { spec: { podCIDRs } }),
  status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
});
const service = (...cidrs: string[]): ServiceCidr => ({
  apiVersion: '',
  kind: 'ServiceCIDR',
  metadata: { name: 's' },
  spec: { cidrs },
});

describe('the ranges of a cluster', () => {
  test.each<[string, ClusterNode[], ServiceCidr[], string[]]>([
    ['nothing', [], [], []],
    ['an address', [node('a', ['192.0.2.1'])], [], ['192.0.2.1/32']],
    ['neighbours become one', [node('a', ['192.0.2.0']), node('b', ['192.0.2.1'])], [], ['192.0.2.0/31']],
    [
      'neighbours that do not align do not',
      [node('a', ['192.0.2.1']), node('b', ['192.0.2.2'])],
      [],
      ['192.0.2.1/32', '192.0.2.2/32'],
    ],
    [
      'pods swallow a node',
      [node('a', ['10.244.0.7'], ['10.244.0.0/24', '10.244.1.0/24'])],
      [],
      ['10.244.0.0/23'],
    ],
    [
      'services, sorted',
      [node('a', ['192.0.2.1'])],
      [service('10.96.0.0/12')],
      ['10.96.0.0/12', '192.0.2.1/32'],
    ],
    ['host bits are cleared', [], [service('10.96.3.4/12')], ['10.96.0.0/12']],
    [
      'IPv6, names and nonsense are left out',
      [node('a', ['2001:db8::1', 'host-a', '192.0.2.1'], ['2001:db8::/64'])],
      [service('nonsense')],
      ['192.0.2.1/32'],
    ],
    ['everything', [], [service('0.0.0.0/1', '128.0.0.0/1')], ['0.0.0.0/0']],
    ['the last address', [node('a', ['255.255.255.255'])], [], ['255.255.255.255/32']],
  ])('%s', (_, nodes, services, expected) => {
    expect(clusterRanges(nodes, services).ranges).toEqual(expected);
  });

  test('cover exactly what was given, in any order, each address once', () => {
    const address = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    const cidr = fc
      .tuple(address, fc.integer({ min: 20, max: 32 }))
      .map(([value, length]) => `${formatIpv4Address(value)}/${length}`);
    fc.assert(
      fc.property(
        fc.array(cidr, { maxLength: 30 }),
        fc.array(address, { maxLength: 30 }),
        (given, probes) => {
          const { ranges } = clusterRanges([], [service(...given)]);
          expect(clusterRanges([], [service(...[...given].reverse())]).ranges).toEqual(ranges);
          const inside = given.map((text) => parseCidr(text)!.address);
          for (const probe of [...inside, ...probes.map(formatIpv4Address)]) {
            const before = given.some((range) => cidrContains(range as never, probe));
            expect(ranges.filter((range) => cidrContains(range, probe))).toHaveLength(before ? 1 : 0);
          }
        },
      ),
    );
  });
});

/** One address in each of so many /24, from 20.0.0.0 on. */
const scattered = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => formatIpv4Address(20 * 2 ** 24 + (from + index) * 256 + 7));
const holds = (ranges: readonly string[], address: string) =>
  ranges.some((range) => cidrContains(range as never, address as never));

describe('a Node is believed so far and no further', () => {
  test.each<[string, ClusterNode, string[], string[]]>([
    ['its usual addresses', node('a', ['192.0.2.1', '10.0.0.1']), ['10.0.0.1/32', '192.0.2.1/32'], []],
    ['a pod range of /16', node('a', [], ['10.244.0.0/16']), ['10.244.0.0/16'], []],
    [
      'a wider pod range is ignored, with what else it says kept',
      node('a', ['192.0.2.1'], ['10.244.0.0/15', '2001:db8::/64']),
      ['192.0.2.1/32'],
      ['the pod range 10.244.0.0/15 of Node a, for it is wider than /16'],
    ],
    [
      'everything is not its own',
      node('a', [], ['0.0.0.0/0']),
      [],
      ['the pod range 0.0.0.0/0 of Node a, for it is wider than /16'],
    ],
    [
      'the same addresses again are no more',
      node('a', [...scattered(32), ...scattered(32)]),
      scattered(32).map((address) => `${address}/32`),
      [],
    ],
  ])('%s', (_, from, ranges, leftOut) => {
    expect(clusterRanges([from], null)).toMatchObject({ ranges, leftOut });
  });

  test.each([
    [32, 32, []],
    [33, 32, ['addresses of Node a after its first 32']],
    [50_000, 32, ['addresses of Node a after its first 32']],
  ])('of %d addresses the first %d count, exactly', (told, counted, leftOut) => {
    const addresses = scattered(told);
    const known = clusterRanges([node('a', addresses)], null);
    expect(known.leftOut).toEqual(leftOut);
    expect(known.ranges).toEqual(addresses.slice(0, counted).map((address) => `${address}/32`));
  });

  test('a hundred that each name all they can still widen nothing', () => {
    const hostile = Array.from({ length: 100 }, (_, index) => node(`h${index}`, scattered(32, index * 32)));
    const { ranges, leftOut } = clusterRanges([node('honest', ['192.0.2.1']), ...hostile], null);
    expect(ranges).toHaveLength(3201);
    expect(ranges.every((range) => range.endsWith('/32'))).toBe(true);
    expect(leftOut).toEqual([]);
  });
});

describe('too many ranges', () => {
  test('are widened as little as is enough, and none is left out', () => {
    const addresses = Array.from({ length: 5000 }, (_, index) => `10.0.${index >> 6}.${(index & 63) * 4}`);
    const known = clusterRanges(
      addresses.map((address, index) => node(`n${index}`, [address])),
      null,
    );
    expect(known.ranges.length).toBeLessThanOrEqual(4096);
    expect(known.leftOut).toEqual([]);
    for (const address of addresses) expect(holds(known.ranges, address)).toBe(true);
    // Steps of 4 join at /30: 78 × 256 addresses and 8 × 4, and none of their neighbours.
    expect(holds(known.ranges, '10.0.77.255')).toBe(true);
    expect(holds(known.ranges, '10.0.78.32')).toBe(false);
  });

  test('that /24 does not make few enough are cut: services stay, then the first of each Node, the oldest first', () => {
    const at = (second: number) => new Date(Date.UTC(2026, 0, 1) + second * 1000).toISOString();
    // In no order of age. Alternate /24, which never join.
    const apart = (index: number) => scattered(1, index * 2)[0]!;
    const honest = Array.from({ length: 60 }, (_, index) =>
      node(`n${index}`, [apart(index)], undefined, at(index)),
    );
    const greedy = node(
      'greedy',
      Array.from({ length: 32 }, (_, index) => apart(100 + index)),
      undefined,
      at(-1),
    );
    const late = node('late', [apart(200)], undefined, at(1000));
    const services = [service('192.0.2.0/24')];
    const { ranges, leftOut } = clusterRanges([late, ...honest, greedy], services, 62);
    expect(ranges).toHaveLength(62);
    expect(ranges.every((range) => range.endsWith('/24'))).toBe(true);
    expect(ranges).toContain('192.0.2.0/24');
    for (const [index] of honest.entries()) expect(holds(ranges, apart(index))).toBe(true);
    expect(holds(ranges, apart(100))).toBe(true);
    expect(holds(ranges, apart(101))).toBe(false);
    expect(holds(ranges, apart(200))).toBe(false);
    expect(leftOut).toEqual([
      'addresses and pod ranges of the newest Nodes: all do not fit into 62 networks of /24',
    ]);
    expect(clusterRanges([greedy, late, ...[...honest].reverse()], services, 62).ranges).toEqual(ranges);
  });

  test('never cover an address that is not in the /24 of one that was told', () => {
    const address = fc.integer({ min: 0, max: 2 ** 32 - 1 }).map(formatIpv4Address);
    fc.assert(
      fc.property(
        fc.uniqueArray(address, { maxLength: 40 }),
        fc.integer({ min: 1, max: 10 }),
        fc.array(address, { maxLength: 40 }),
        (told, most, probes) => {
          const { cidrs, taken } = cover(
            told.map((one) => `${one}/32`),
            most,
          );
          expect(cidrs.length).toBeLessThanOrEqual(most);
          for (const one of told.slice(0, taken)) expect(holds(cidrs, one)).toBe(true);
          const near = (probe: string) => told.some((one) => holds([`${one}/24`], probe));
          for (const probe of probes) expect(holds(cidrs, probe) && !near(probe)).toBe(false);
        },
      ),
    );
  });
});

describe('what a class is told', () => {
  const complete = true;

  test.each([
    ['nothing yet', undefined, ['10.0.0.0/8'], true],
    ['nothing yet, and there is nothing', undefined, [], true],
    ['the same', { clusterRanges: ['10.0.0.0/8'] }, ['10.0.0.0/8'], false],
    ['less', { clusterRanges: ['10.0.0.0/8'] }, ['10.0.0.0/8', '192.0.2.1/32'], true],
    ['more', { clusterRanges: ['10.0.0.0/8', '192.0.2.1/32'] }, ['10.0.0.0/8'], true],
    ['something else by hand', { clusterRanges: ['0.0.0.0/0'] }, ['10.0.0.0/8'], true],
  ])('%s', (_, status, ranges, writes) => {
    const known = { ranges: ranges as never, complete };
    const planned = planClassStatus(networkClass('default', {}, status), known);
    expect(planned).toEqual(writes ? { clusterRanges: ranges } : null);
  });

  const nodes = [node('a', ['192.0.2.1'])];
  const services = [service('10.96.0.0/16')];
  const before = { clusterRanges: ['10.96.0.0/16', '192.0.2.1/32'] };
  test.each<[string, ClusterNode[], ServiceCidr[] | null, object | undefined, string[] | null]>([
    ['no Node is known: nothing goes', [], services, before, null],
    ['no Node is known, and no service: nothing goes', [], [], before, null],
    ['no Node tells an address yet: nothing goes', [node('a', [])], services, before, null],
    ['services are served and none is known: nothing goes', nodes, [], before, null],
    [
      'no Node is known, and a service is new: it is added',
      [],
      [service('10.97.0.0/16')],
      before,
      ['10.96.0.0/15', '192.0.2.1/32'],
    ],
    ['no Node is known, and the class is new: what there is', [], services, undefined, ['10.96.0.0/16']],
    [
      'Nodes are back: as they say',
      [node('b', ['192.0.2.9'])],
      services,
      before,
      ['10.96.0.0/16', '192.0.2.9/32'],
    ],
    ['services are not served', nodes, null, before, ['192.0.2.1/32']],
  ])('%s', (_, seen, served, status, expected) => {
    const planned = planClassStatus(
      networkClass('default', {}, status as never),
      clusterRanges(seen, served),
    );
    expect(planned).toEqual(expected === null ? null : { clusterRanges: expected });
  });
});

describe('the keeper of ranges', () => {
  function keeping(...first: ClusterNode[]) {
    const nodes = new IndexedStore<ClusterNode>();
    const log = { warn: jest.fn() };
    const onChange = jest.fn();
    const clock = new FakeClock();
    const keeper = new RangeKeeper({ nodes, serviceCidrs: null, onChange, clock, log: log as never });
    const tell = (object: ClusterNode) => {
      const previous = nodes.get(object.metadata.name);
      nodes.set(object);
      keeper.node({
        type: previous === undefined ? 'added' : 'updated',
        object,
        ...(previous && { previous }),
      });
    };
    for (const one of first) tell(one);
    return { keeper, tell, log, onChange, clock };
  }

  test('heartbeats of Nodes move nothing', () => {
    const { keeper, tell, onChange } = keeping(node('a', ['192.0.2.1']));
    const { ranges } = keeper.known();
    expect(ranges).toEqual(['192.0.2.1/32']);
    tell(node('a', ['192.0.2.1']));
    expect(onChange).toHaveBeenCalledTimes(1);
    expect(keeper.known().ranges).toBe(ranges);
    tell(node('a', ['192.0.2.9']));
    expect(onChange).toHaveBeenCalledTimes(2);
    expect(keeper.known().ranges).toEqual(['192.0.2.9/32']);
  });

  test('a Node that flips its addresses is looked at once in a while, and what changes alone soon', () => {
    const { tell, onChange, clock } = keeping();
    const dueMs = new Set<number>();
    for (let second = 0; second < 60; second += 1) {
      tell(node('a', [`192.0.2.${second % 2}`]));
      const [delayMs] = onChange.mock.calls.at(-1) as [number];
      dueMs.add(clock.monotonicMs() + delayMs);
      clock.stall(1_000);
    }
    // The other address is new once in each time of calm, for it is kept until that ends.
    expect([...dueMs].map((at) => at - 1_000_000)).toEqual([
      ...[100, 1_100, 16_000, 16_100, 31_000, 31_100, 46_000, 46_100, 61_000],
    ]);
    clock.stall(60_000);
    tell(node('a', ['192.0.2.9']));
    expect(onChange.mock.calls.at(-1)).toEqual([100]);
    clock.stall(60_000);
    tell(node('a', []));
    expect(onChange.mock.calls.at(-1)).toEqual([1_000]);
  });

  test('what is new is denied soon, also in a time of calm, until that was often; then it waits for the calm', () => {
    const { tell, onChange, clock } = keeping();
    const delays = Array.from({ length: 25 }, (_, index) => {
      clock.stall(110);
      tell(node(`n${index}`, [`192.0.2.${index}`]));
      return (onChange.mock.calls.at(-1) as [number])[0];
    });
    // 20, and 2 that came back in 2.5 s.
    expect(delays.filter((delay) => delay === 100)).toHaveLength(22);
    expect(delays.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 100));
    expect(Math.max(...delays)).toBeGreaterThan(10_000);
    clock.stall(1_000);
    tell(node('late', ['192.0.3.1']));
    expect(onChange.mock.calls.at(-1)).toEqual([100]);
  });

  test('what is left out is logged once, however often it is said', () => {
    const { keeper, tell, log, onChange } = keeping(node('a', scattered(40)));
    keeper.known();
    tell(node('a', scattered(41)));
    expect(onChange).toHaveBeenCalledTimes(1);
    for (const from of [1, 2, 3]) {
      tell(node('a', scattered(40, from)));
      keeper.known();
    }
    expect(log.warn.mock.calls).toEqual([
      [{ what: 'addresses of Node a after its first 32' }, expect.stringContaining('do not deny all')],
    ]);
  });

  const wide = node('a', ['192.0.2.1'], ['10.0.0.0/8']);
  test.each([
    ['is told on the class', {}, wide, 1],
    [
      'is no news to a class that denies no ranges',
      { deniedDestinations: { clusterRanges: false } },
      wide,
      0,
    ],
    ['and nothing is told where all is denied', {}, node('a', ['192.0.2.1'], ['10.0.0.0/16']), 0],
  ])('what is left out %s', async (_, spec, from, times) => {
    const event = jest.fn();
    const ports = {
      client: { update: async (_type: unknown, object: unknown) => object },
      classes: { get: () => networkClass('default', spec), written: () => undefined },
      clusterRanges: () => clusterRanges([from], null),
      keepForMs: () => 0,
      recorder: { event },
      log: { info: () => undefined },
    };
    await reconcileClass('default', ports as never, new AbortController().signal);
    expect(event).toHaveBeenCalledTimes(times);
    if (times > 0) expect(event.mock.calls[0]).toContain('RangesLeftOut');
    if (times > 0) expect(event.mock.calls[0]?.[4]).toContain('the pod range 10.0.0.0/8 of Node a');
  });
});
