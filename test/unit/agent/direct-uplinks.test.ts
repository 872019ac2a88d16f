import { describe, expect, test } from '@jest/globals';
import type { HostRoute, RouteAnswer } from '../../../src/agent/host/kernel.ts';
import { directUplinks } from '../../../src/agent/wiring/direct-uplinks.ts';
import { mergedRanges, rangeOf } from '../../../src/api/v1alpha1/denied-networks.ts';
import type { AddressRange } from '../../../src/api/v1alpha1/denied-networks.ts';
import { cidrRange, contains } from '../../../src/agent/wiring/address-pool.ts';

const BUILT_IN = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'];
const denied = (...networks: string[]): AddressRange[] =>
  mergedRanges([...BUILT_IN, ...networks].map(rangeOf));

/** A host with these networks, by interface; `default` is the default route, `lo` what is the host's own. */
class RoutedHost {
  readonly #routes: readonly (readonly [network: string, name: string])[];
  readonly asked: string[] = [];

  constructor(routes: Readonly<Record<string, string>>) {
    const all = Object.entries(routes).map(([network, name]) => [network, name] as const);
    this.#routes = all.sort(([a], [b]) => lengthOf(b) - lengthOf(a));
  }

  /** As the kernel tells: without default routes, and without those to itself. */
  foreignRoutes(): HostRoute[] {
    return this.#routes
      .filter(([network, name]) => lengthOf(network) > 0 && name !== 'lo')
      .map(([network]) => ({
        destination: network.split('/')[0] ?? '',
        prefixLength: lengthOf(network),
        ifindex: 1,
      }));
  }

  to(address: string): RouteAnswer | null {
    this.asked.push(address);
    const found = this.#routes.find(([network]) => contains(cidrRange(network), address));
    return found === undefined ? null : { ifindex: 1, name: found[1], local: found[1] === 'lo' };
  }

  uplinks(...policies: AddressRange[][]): string[] {
    return directUplinks(policies, this, this).sort();
  }
}

function lengthOf(network: string): number {
  return Number(network.split('/')[1]);
}

const OFFICE = { '0.0.0.0/0': 'eth0', '192.0.2.0/24': 'eth0', '10.8.0.0/16': 'eth1', '10.9.1.0/24': 'eth2' };

describe('the uplinks of mode Direct', () => {
  test('without a VM of that mode there are none, and nothing is asked', () => {
    const host = new RoutedHost(OFFICE);
    expect([host.uplinks(), host.asked]).toEqual([[], []]);
  });

  test('are that of the default route and those to networks that are not denied', () => {
    expect(new RoutedHost(OFFICE).uplinks(denied())).toEqual(['eth0', 'eth1', 'eth2']);
    expect(new RoutedHost(OFFICE).uplinks(denied('10.0.0.0/8'))).toEqual(['eth0']);
  });

  test('are those to a network of which a part is denied, by what is left of it', () => {
    const host = new RoutedHost(OFFICE);
    expect(host.uplinks(denied('10.8.0.0/17', '10.9.1.0/24'))).toEqual(['eth0', 'eth1']);
    expect(host.asked).toContain('10.8.128.1');
    // The last address that is left.
    const last = new RoutedHost({ '10.8.0.0/30': 'eth1' });
    expect(last.uplinks(denied('10.8.0.0/31', '10.8.0.2/32'))).toEqual(['eth1']);
    expect(new RoutedHost({ '10.8.0.0/30': 'eth1' }).uplinks(denied('10.8.0.0/30'))).toEqual([]);
  });

  test('are those of each policy', () => {
    const [one, other] = [denied('10.8.0.0/16'), denied('10.9.0.0/16')];
    expect(new RoutedHost(OFFICE).uplinks(one)).toEqual(['eth0', 'eth2']);
    expect(new RoutedHost(OFFICE).uplinks(one, other)).toEqual(['eth0', 'eth1', 'eth2']);
  });

  test('without a default route are those of the networks alone', () => {
    expect(new RoutedHost({ '10.8.0.0/16': 'eth1' }).uplinks(denied())).toEqual(['eth1']);
    expect(new RoutedHost({}).uplinks(denied())).toEqual([]);
  });

  test('the default route is asked for by an address that no other route names', () => {
    const halves = { '0.0.0.0/1': 'tun0', '128.0.0.0/1': 'tun1' };
    // A VPN that takes all: nothing is left for the default route.
    expect(new RoutedHost({ ...halves, '0.0.0.0/0': 'eth0' }).uplinks(denied())).toEqual(['tun0', 'tun1']);
    const host = new RoutedHost({ '0.0.0.0/0': 'eth0', '1.0.0.0/8': 'eth1' });
    expect(host.uplinks(denied('1.0.0.0/8'))).toEqual(['eth0']);
    expect(host.asked).toEqual(['2.0.0.0']);
  });

  test('where everything is denied there is none', () => {
    expect(new RoutedHost(OFFICE).uplinks([{ first: '0.0.0.0', last: '255.255.255.255' }])).toEqual([]);
  });

  test('the host itself is none', () => {
    expect(new RoutedHost({ '0.0.0.0/0': 'lo' }).uplinks(denied())).toEqual([]);
  });
});
