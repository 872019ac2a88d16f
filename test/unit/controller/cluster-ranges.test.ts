import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cidrContains, parseCidr } from '../../../src/api/v1alpha1/cidr.ts';
import { formatIpv4Address } from '../../../src/api/v1alpha1/ipv4-address.ts';
import { clusterRanges, collapse } from '../../../src/controller/class/cluster-ranges.ts';
import { planClassStatus } from '../../../src/controller/class/plan.ts';
import { RangeKeeper } from '../../../src/controller/class/range-keeper.ts';
import type { ClusterNode, ServiceCidr } from '../../../src/controller/kinds.ts';
import { IndexedStore } from '../../../src/kube/store/store.ts';
import { networkClass } from './support/objects.ts';

const node = (name: string, addresses: string[], podCIDRs?: string[]): ClusterNode => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
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
    expect(clusterRanges(nodes, services)).toEqual(expected);
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
          const ranges = clusterRanges([], [service(...given)]);
          expect(clusterRanges([], [service(...[...given].reverse())])).toEqual(ranges);
          const inside = given.map((text) => parseCidr(text)!.address);
          for (const probe of [...inside, ...probes.map(formatIpv4Address)]) {
            const before = given.some((range) => cidrContains(range as never, probe));
            expect(ranges.filter((range) => cidrContains(range, probe))).toHaveLength(before ? 1 : 0);
          }
        },
      ),
    );
  });

  test('too many are widened, never cut', () => {
    const spans = Array.from({ length: 5000 }, (_, index) => ({ first: index * 4, last: index * 4 }));
    const ranges = collapse(spans);
    expect(ranges.length).toBeLessThanOrEqual(4096);
    for (const { first } of spans) {
      expect(ranges.some((range) => cidrContains(range, formatIpv4Address(first)))).toBe(true);
    }
  });
});

describe('what a class is told', () => {
  test.each([
    ['nothing yet', undefined, ['10.0.0.0/8'], true],
    ['nothing yet, and there is nothing', undefined, [], true],
    ['the same', { clusterRanges: ['10.0.0.0/8'] }, ['10.0.0.0/8'], false],
    ['less', { clusterRanges: ['10.0.0.0/8'] }, ['10.0.0.0/8', '192.0.2.1/32'], true],
    ['something else by hand', { clusterRanges: ['0.0.0.0/0'] }, ['10.0.0.0/8'], true],
  ])('%s', (_, status, ranges, writes) => {
    const planned = planClassStatus(networkClass('default', {}, status), ranges as never);
    expect(planned).toEqual(writes ? { clusterRanges: ranges } : null);
  });

  test('heartbeats of Nodes move nothing', () => {
    const store = new IndexedStore<ClusterNode>();
    let changes = 0;
    const keeper = new RangeKeeper(store, null, () => (changes += 1));
    const first = node('a', ['192.0.2.1']);
    store.set(first);
    keeper.node({ type: 'added', object: first });
    expect(keeper.ranges()).toEqual(['192.0.2.1/32']);
    const ranges = keeper.ranges();
    keeper.node({ type: 'updated', object: node('a', ['192.0.2.1']), previous: first });
    expect(changes).toBe(1);
    expect(keeper.ranges()).toBe(ranges);
    const moved = node('a', ['192.0.2.9']);
    store.set(moved);
    keeper.node({ type: 'updated', object: moved, previous: first });
    expect(changes).toBe(2);
    expect(keeper.ranges()).toEqual(['192.0.2.9/32']);
  });
});
