import { execFileSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  addRoute,
  deleteLink,
  deleteNeighbour,
  deleteRoute,
  linkByName,
  links,
  neighbours,
  ROUTE_PROTOCOL,
  routes,
  routeTo,
  setLink,
  setNeighbour,
  watchLinks,
} from '../../src/native/rtnetlink.ts';
import { Lab, type Namespace, poll } from '../support/lab/index.ts';
import { moveInto } from '../support/stage/own-namespace.ts';

/** Each answer is held against that of iproute2, which shares nothing with our code but the kernel. */
let lab: Lab;
let host: Namespace;
let far: Namespace;
let leave: () => void;
beforeAll(async () => {
  lab = await Lab.create('rtnl');
  host = await lab.namespace('host');
  far = await lab.namespace('far');
  await lab.connect(host, far, {
    nameA: 'uplink',
    nameB: 'wire',
    addressA: '192.0.2.1/24',
    addressB: '192.0.2.2/24',
  });
  await host.run(['ip', 'link', 'add', 'vmn-a', 'type', 'veth', 'peer', 'name', 'vmn-b']);
  await host.run(['ip', 'link', 'set', 'vmn-a', 'alias', 'vmnetwork:a vm', 'up']);
  // `ip` says of what is down nothing about its carrier.
  await host.run(['ip', 'link', 'set', 'vmn-b', 'up']);
  leave = moveInto(host);
}, 30_000);
afterAll(async () => {
  leave?.();
  await lab?.close();
}, 30_000);

async function ip<T>(...args: string[]): Promise<T> {
  return JSON.parse(await host.run(['ip', '-json', '-details', ...args])) as T;
}

interface IpLink {
  ifindex: number;
  ifname: string;
  address: string;
  ifalias?: string;
  master?: string;
  mtu: number;
  flags: string[];
  linkinfo?: { info_kind?: string };
}

const index = (name: string): number => linkByName(name)?.ifindex ?? 0;

describe('links', () => {
  test('are those that ip shows, with the same properties', async () => {
    const shown = (await ip<IpLink[]>('link', 'show')).map((link) => ({
      ifindex: link.ifindex,
      name: link.ifname,
      mac: link.address,
      alias: link.ifalias ?? '',
      mtu: link.mtu,
      up: link.flags.includes('UP'),
      carrier: !link.flags.includes('NO-CARRIER'),
      kind: link.linkinfo?.info_kind ?? '',
      master: link.master === undefined ? 0 : index(link.master),
    }));
    expect(links()).toEqual(shown);
    expect(linkByName('vmn-a')).toEqual(shown.find(({ name }) => name === 'vmn-a'));
    expect(linkByName('uplink')).toMatchObject({ kind: 'veth', up: true, carrier: true });
  });

  test('that do not exist are null', () => {
    expect(linkByName('nowhere')).toBeNull();
    expect(linkByName('a-name-longer-than-any')).toBeNull();
  });

  test('are all listed when there are many: an answer in several parts', async () => {
    const batch = Array.from({ length: 40 }, (_, i) => `link add many${String(i)} type bridge\n`).join('');
    await host.run(['ip', '-batch', '-'], { input: batch });
    expect(links().filter(({ name }) => name.startsWith('many'))).toHaveLength(40);
    const gone = Array.from({ length: 40 }, (_, i) => `link del many${String(i)}\n`).join('');
    await host.run(['ip', '-batch', '-'], { input: gone });
  }, 30_000);

  test('change in what is given, and only in that', () => {
    const before = linkByName('vmn-a');
    setLink(index('vmn-a'), { mac: '02:76:6d:6e:00:01', alias: 'vmnetwork:other' });
    setLink(index('vmn-a'), { mtu: 1400 });
    setLink(index('vmn-a'), { up: false });
    expect(linkByName('vmn-a')).toEqual({
      ...before,
      mac: '02:76:6d:6e:00:01',
      alias: 'vmnetwork:other',
      mtu: 1400,
      up: false,
      carrier: false, // as veth has it
    });
    setLink(index('vmn-a'), { up: true, alias: '' });
    expect(linkByName('vmn-a')).toMatchObject({ up: true, alias: '' });
  });

  test('that the kernel refuses to change say why, in its own words', () => {
    const refused = (): void => {
      setLink(index('vmn-a'), { mtu: 1 });
    };
    expect(refused).toThrow(
      expect.objectContaining({ code: 'VMN_NETLINK', attempted: 'set mtu of the interface' }),
    );
    expect(refused).toThrow(/mtu less than device minimum/);
  });

  test('are deleted by ifindex; one that is gone stays gone', async () => {
    await host.run(['ip', 'link', 'add', 'brief', 'type', 'bridge']);
    const ifindex = index('brief');
    deleteLink(ifindex);
    deleteLink(ifindex);
    expect(linkByName('brief')).toBeNull();
  });
});

describe('routes', () => {
  const route = (destination: string) => ({ destination, prefixLength: 32, ifindex: index('vmn-a') });

  test('of ours are added as on-link ones of our protocol, listed and deleted', async () => {
    addRoute(route('100.64.0.2'));
    addRoute(route('100.64.0.3'));
    expect(await ip('route', 'show', 'dev', 'vmn-a')).toEqual([
      expect.objectContaining({ dst: '100.64.0.2', protocol: String(ROUTE_PROTOCOL), scope: 'link' }),
      expect.objectContaining({ dst: '100.64.0.3', protocol: String(ROUTE_PROTOCOL), scope: 'link' }),
    ]);
    expect(routes({ protocol: ROUTE_PROTOCOL })).toEqual([route('100.64.0.2'), route('100.64.0.3')]);
    deleteRoute(route('100.64.0.2'));
    deleteRoute(route('100.64.0.2'));
    expect(routes({ protocol: ROUTE_PROTOCOL })).toEqual([route('100.64.0.3')]);
    deleteRoute(route('100.64.0.3'));
    expect(routes({ protocol: ROUTE_PROTOCOL })).toEqual([]);
  });

  test('of others are neither listed, nor replaced, nor deleted', async () => {
    await host.run(['ip', 'route', 'add', '100.64.0.9/32', 'dev', 'vmn-a', 'proto', 'static']);
    expect(routes({ protocol: ROUTE_PROTOCOL })).toEqual([]);
    expect(() => {
      addRoute(route('100.64.0.9'));
    }).toThrow(
      expect.objectContaining({ code: 'VMN_NETLINK', message: expect.stringContaining('File exists') }),
    );
    deleteRoute(route('100.64.0.9'));
    expect(await ip('route', 'show', '100.64.0.9')).toEqual([
      expect.objectContaining({ protocol: 'static' }),
    ]);
    await host.run(['ip', 'route', 'del', '100.64.0.9/32', 'dev', 'vmn-a']);
  });

  test('to an address are the ones the kernel takes', async () => {
    await host.run(['ip', 'route', 'add', 'default', 'via', '192.0.2.2']);
    const uplink = { ifindex: index('uplink'), name: 'uplink', local: false, source: '192.0.2.1' };
    expect(routeTo('203.0.113.10')).toEqual({ ...uplink, gateway: '192.0.2.2' });
    expect(routeTo('192.0.2.2')).toEqual(uplink);
    expect(routeTo('192.0.2.1')).toMatchObject({ name: 'lo', local: true });
    const [shown] = await ip<{ gateway: string; dev: string; prefsrc: string }[]>(
      'route',
      'get',
      '203.0.113.10',
    );
    expect(shown).toMatchObject({ gateway: '192.0.2.2', dev: 'uplink', prefsrc: '192.0.2.1' });
  });

  test('to what is no single host are local: the host never sends a packet of one VM there', async () => {
    await host.run(['ip', 'route', 'replace', 'default', 'via', '192.0.2.2']);
    for (const address of ['192.0.2.255', '255.255.255.255', '224.0.0.1']) {
      expect([address, routeTo(address)]).toEqual([address, expect.objectContaining({ local: true })]);
    }
    expect(routeTo('192.0.2.254')).toMatchObject({ local: false });
  });

  test('that lead nowhere are null', async () => {
    for (const kind of ['unreachable', 'prohibit', 'blackhole']) {
      await host.run(['ip', 'route', 'add', kind, '198.51.100.66']);
      expect(routeTo('198.51.100.66')).toBeNull();
      await host.run(['ip', 'route', 'del', '198.51.100.66']);
    }
    await host.run(['ip', 'route', 'del', 'default']);
    expect(routeTo('203.0.113.10')).toBeNull();
  });
});

describe('neighbours', () => {
  test('are set for good, replaced, listed and deleted', async () => {
    const ifindex = index('uplink');
    setNeighbour({ ifindex, address: '192.0.2.77', mac: '02:76:00:00:00:01' });
    setNeighbour({ ifindex, address: '192.0.2.77', mac: '02:76:00:00:00:02' });
    const entry = { address: '192.0.2.77', mac: '02:76:00:00:00:02', permanent: true };
    expect(neighbours(ifindex)).toContainEqual(entry);
    expect(neighbours(index('vmn-a'))).toEqual([]);
    expect(await ip('neigh', 'show', '192.0.2.77')).toEqual([
      expect.objectContaining({ lladdr: '02:76:00:00:00:02', state: ['PERMANENT'] }),
    ]);
    deleteNeighbour({ ifindex, address: '192.0.2.77' });
    deleteNeighbour({ ifindex, address: '192.0.2.77' });
    expect(neighbours(ifindex)).not.toContainEqual(entry);
  });
});

describe('watching', () => {
  const open: { close(): void }[] = [];
  afterEach(() => {
    for (const watch of open.splice(0)) watch.close();
  });

  function watching(callback: () => void): { close(): void } {
    const watch = watchLinks(callback);
    open.push(watch);
    return watch;
  }

  test('calls back for links, settings, filters, neighbours, routes and rules that change, and not after it was closed', async () => {
    let calls = 0;
    const watch = watching(() => {
      calls += 1;
    });
    const told = async (...change: string[]): Promise<void> => {
      const before = calls;
      await host.run(change);
      await poll(`a call for ${change.join(' ')}`, () => calls > before);
    };
    const untold = async (...change: string[]): Promise<void> => {
      const before = calls;
      await host.run(change);
      await new Promise(setImmediate);
      expect(calls).toBe(before);
    };
    await told('ip', 'link', 'add', 'seen', 'type', 'bridge');
    await told('ip', 'link', 'set', 'seen', 'up');
    await told('sysctl', '-q', '-w', 'net.ipv4.conf.seen.forwarding=1');
    await told('sysctl', '-q', '-w', 'net.ipv4.conf.seen.rp_filter=2');
    await untold('ip', 'neigh', 'add', '100.64.9.9', 'lladdr', '02:00:00:00:00:09', 'dev', 'seen');
    await told('ip', 'neigh', 'del', '100.64.9.9', 'dev', 'seen');
    await untold('bridge', 'fdb', 'add', '02:00:00:00:00:0a', 'dev', 'seen', 'self', 'local');
    await untold('bridge', 'fdb', 'del', '02:00:00:00:00:0a', 'dev', 'seen', 'self', 'local');
    // Whoever asks for one has it told to everybody.
    await untold('tc', 'qdisc', 'add', 'dev', 'seen', 'clsact');
    await told('tc', 'qdisc', 'del', 'dev', 'seen', 'clsact');
    await told('ip', 'route', 'add', '100.64.9.9/32', 'dev', 'seen');
    await told('ip', 'rule', 'add', 'from', '100.64.9.9', 'lookup', '99');
    await told('ip', 'rule', 'del', 'from', '100.64.9.9');
    await told('ip', 'link', 'del', 'seen');
    watch.close();
    watch.close();
    await untold('ip', 'link', 'add', 'unseen', 'type', 'bridge');
    await host.run(['ip', 'link', 'del', 'unseen']);
  });

  test('calls back when the kernel lost count: then everything is looked at again', async () => {
    let calls = 0;
    // Far more changes than a socket's queue holds, while this thread does not read.
    const batch = Array.from(
      { length: 2000 },
      (_, i) => `route add 10.${String(i >> 8)}.${String(i & 255)}.1 dev vmn-a\n`,
    );
    const watch = watching(() => {
      calls += 1;
    });
    execFileSync('ip', ['-batch', '-'], { input: batch.join('') });
    await poll('a call', () => calls > 0);
    const settled = calls;
    await host.run(['ip', 'route', 'flush', 'dev', 'vmn-a']);
    await poll('a call after the flood', () => calls > settled);
    watch.close();
  }, 30_000);
});
