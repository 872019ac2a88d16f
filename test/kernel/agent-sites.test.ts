import { closeSync, readdirSync, writeSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Site, Sites } from '../../src/agent/host/site.ts';
import { systemKernel } from '../../src/agent/host/system-kernel.ts';
import { systemSites } from '../../src/agent/host/system-site.ts';
import { applyGuard, isGuardInForce, readGuard, removeGuard } from '../../src/agent/wiring/nft-table.ts';
import { ownNetworkNamespace } from '../../src/native/network-namespace.ts';
import { linkByName, setLink } from '../../src/native/rtnetlink.ts';
import { createTap } from '../../src/native/tap.ts';
import { CAST, fromGuest, PINNED, STRANGER } from '../support/frames/cast.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import { Lab, mustRun, type Namespace, poll } from '../support/lab/index.ts';
import { type Child, startChild } from '../support/native/child.ts';
import { moveInto } from '../support/stage/own-namespace.ts';

/** What the agent does in another network namespace, as KubeVirt's pods have them, held against what the tools of Linux say. */
let lab: Lab;
let host: Namespace;
let pod: Namespace;
let podId: string;
/** A process that is in the pod, and one that is not. */
let inPod: Child;
let elsewhere: Child;
let leave: () => void;
let sites: Sites;
const pins = `/sys/fs/bpf/vmnet-n-${String(process.pid)}-sites`;
beforeAll(async () => {
  lab = await Lab.create('site');
  host = await lab.namespace('host');
  pod = await lab.namespace('pod');
  lab.undoLater(`rm -rf ${pins}`);
  podId = (await pod.run(['readlink', '/proc/self/ns/net'])).trim();
  inPod = await lasting(pod);
  elsewhere = await lasting(await lab.namespace('third'));
  leave = moveInto(host);
  sites = systemSites();
}, 30_000);
afterEach(async () => {
  sites?.close();
  expect(`${ownNetworkNamespace()}\n`).toBe(await host.run(['readlink', '/proc/self/ns/net']));
});
afterAll(async () => {
  sites?.close();
  leave?.();
  await lab?.close();
}, 30_000);

/** A process there, which lasts as long as the lab. */
async function lasting(namespace: Namespace, first = ''): Promise<Child> {
  const child = startChild(namespace, `${first} say(process.pid); setInterval(() => undefined, 1e6);`);
  await child.next();
  return child;
}

const pidOf = (child: Child): number => child.process.pid ?? 0;

function opened(id: string, pid: number): Site {
  const site = sites.open(id, pid);
  if ('reason' in site) throw new Error(site.reason);
  return site;
}

const inPodSite = (): Site => opened(podId, pidOf(inPod));

function reasonOf(site: Site | { readonly reason: string }): string {
  return 'reason' in site ? site.reason : 'it was opened';
}

const descriptors = (): number => readdirSync('/proc/self/fd').length;

test('a tap in another namespace is closed, proven, given a policy and counted; ours of that name and number is not touched', async () => {
  const { kernel } = inPodSite();
  await pod.run(['ip', 'tuntap', 'add', 'name', 'tap0', 'mode', 'tap']);
  await pod.run(['ip', 'link', 'set', 'tap0', 'address', CAST.gatewayMac, 'up']);
  const there = kernel.linkByName('tap0');
  if (there === null) throw new Error('no tap there');
  const [shown] = JSON.parse(await pod.run(['ip', '-json', 'link', 'show', 'tap0'])) as object[];
  expect(shown).toMatchObject({ ifindex: there.ifindex, address: there.mac });
  await host.run(['ip', 'link', 'add', 'name', 'tap0', 'index', String(there.ifindex), 'type', 'bridge']);

  const pinDir = `${pins}/tap0`;
  const closed = kernel.attachFilter(pinDir, there.ifindex);
  expect(closed).toMatchObject({
    policyState: 'empty',
    fromVm: { ifindex: there.ifindex, first: true, programTag: kernel.programTags().fromVm },
    toVm: { ifindex: there.ifindex, first: true, programTag: kernel.programTags().toVm },
  });
  expect(kernel.readBack(pinDir)).toEqual(closed);
  // The number is that of an interface of ours, too, whose hooks are asked here.
  expect(sites.own.kernel.readBack(pinDir)).toMatchObject({
    fromVm: { first: false },
    toVm: { first: false },
  });

  const policy = policyBytes({ ...PINNED, generation: 1n });
  kernel.writePolicy(pinDir, policy);
  expect(kernel.readBack(pinDir)).toMatchObject({ policyState: 'set', policy });

  const fd = kernel.openTap('tap0');
  writeSync(fd, fromGuest(CAST));
  writeSync(fd, fromGuest(CAST, { ip: { destination: STRANGER.address } }));
  kernel.closeTap(fd);
  const frames = kernel.counters(pinDir).filter(({ direction }) => direction === 'from-vm');
  expect(frames.map(({ packets }) => packets)).toEqual([1n, 1n]);

  expect(kernel.replaceFilter(pinDir, there.ifindex, policy).fromVm).toMatchObject({ first: true });
  expect(sites.own.kernel.readBack(pinDir).fromVm).toMatchObject({ first: false });

  kernel.deleteLink(there.ifindex);
  expect(linkByName('tap0')).toMatchObject({ ifindex: there.ifindex });
  kernel.removePins(pinDir);
  kernel.removeSharedPins(pins);
  await host.run(['ip', 'link', 'del', 'tap0']);
});

test('links, routes, neighbours and settings are those of there', async () => {
  const { kernel } = inPodSite();
  await pod.run(['ip', 'link', 'add', 'wired', 'type', 'bridge']);
  const { ifindex } = kernel.linkByName('wired') ?? { ifindex: 0 };
  expect(kernel.links().map(({ name }) => name)).toContain('wired');
  expect(sites.own.kernel.linkByName('wired')).toBeNull();
  kernel.setLink(ifindex, { mac: CAST.gatewayMac, mtu: 1400, up: true });
  const [link] = JSON.parse(await pod.run(['ip', '-json', 'link', 'show', 'wired'])) as object[];
  expect(link).toMatchObject({ address: CAST.gatewayMac, mtu: 1400, flags: expect.arrayContaining(['UP']) });

  kernel.addRoute('100.64.0.9', ifindex);
  kernel.setNeighbour(ifindex, '100.64.0.9', CAST.guestMac);
  await pod.run(['ip', 'route', 'add', '198.18.0.0/16', 'dev', 'wired']);
  const route = { destination: '100.64.0.9', prefixLength: 32, ifindex };
  expect(kernel.managedRoutes()).toEqual([route]);
  expect(kernel.foreignRoutes()).toContainEqual({
    destination: '198.18.0.0',
    prefixLength: 16,
    ifindex,
  });
  await pod.run(['ip', 'address', 'add', '198.19.0.1/24', 'broadcast', '+', 'dev', 'wired']);
  const own198 = (networks: readonly string[]): string[] => networks.filter((one) => one.startsWith('198.'));
  expect(own198(kernel.ownNetworks())).toEqual(['198.19.0.1/32', '198.19.0.255/32']);
  expect(own198(sites.own.kernel.ownNetworks())).toEqual([]);
  expect(kernel.routeTo('100.64.0.9')).toMatchObject({ name: 'wired', local: false });
  expect(kernel.neighbours(ifindex)).toMatchObject([{ address: '100.64.0.9', mac: CAST.guestMac }]);
  expect(await pod.run(['ip', 'route', 'show', 'proto', '118'])).toContain('100.64.0.9 dev wired');
  const { own } = sites;
  expect([own.kernel.managedRoutes(), own.kernel.foreignRoutes(), own.kernel.routeTo('100.64.0.9')]).toEqual([
    [],
    [],
    null,
  ]);
  kernel.deleteNeighbour(ifindex, '100.64.0.9');
  kernel.deleteRoute('100.64.0.9', ifindex);
  expect([kernel.managedRoutes(), kernel.neighbours(ifindex)]).toEqual([[], []]);

  const forwarding = 'net/ipv4/conf/wired/forwarding';
  kernel.writeSetting(forwarding, '1');
  expect(kernel.readSetting(forwarding)).toBe('1');
  expect((await pod.run(['sysctl', '-n', 'net.ipv4.conf.wired.forwarding'])).trim()).toBe('1');
  expect(own.kernel.readSetting(forwarding)).toBeNull();
  // One that both have.
  kernel.writeSetting('net/ipv4/conf/all/forwarding', '1');
  expect(own.kernel.readSetting('net/ipv4/conf/all/forwarding')).toBe('0');
  expect((await host.run(['sysctl', '-n', 'net.ipv4.conf.all.forwarding'])).trim()).toBe('0');
  kernel.deleteLink(ifindex);
});

test('who holds a tap there is told, and not who holds one of that name here, we ourselves for example', async () => {
  const holder = await lasting(pod, `tap.createTap('twin');`);
  const ours = createTap('twin');
  const { kernel } = inPodSite();
  expect(kernel.tapHolders('twin').map(({ pid }) => pid)).toEqual([pidOf(holder)]);
  expect(sites.own.kernel.tapHolders('twin').map(({ pid }) => pid)).toEqual([process.pid]);
  process.kill(pidOf(holder), 'SIGKILL');
  await poll('its end', () => kernel.linkByName('twin') === null);
  expect(linkByName('twin')).not.toBeNull();
  closeSync(ours.fd);
});

test('who holds a tap there from here is told, too: it was moved there', async () => {
  const holder = await lasting(host, `tap.createTap('moved');`);
  await host.run(['ip', 'link', 'set', 'moved', 'netns', pod.id]);
  const { kernel } = inPodSite();
  expect(kernel.tapHolders('moved').map(({ pid }) => pid)).toEqual([pidOf(holder)]);
  expect(sites.own.kernel.tapHolders('moved')).toEqual([]);
  process.kill(pidOf(holder), 'SIGKILL');
  await poll('its end', () => kernel.linkByName('moved') === null);
});

test('the guard is put in force there, and read back there, and our own rule set is not touched', async () => {
  const { nft } = inPodSite();
  const wanted = {
    pool: '100.64.0.0/10',
    openedUplinks: ['eth0'],
    managed: { patterns: ['tap*'], links: [] },
  };
  expect(isGuardInForce(await applyGuard(nft, wanted), wanted)).toBe(true);
  expect(await pod.run(['nft', 'list', 'tables'])).toContain('table inet vmnetwork');
  expect(await readGuard(sites.own.nft)).toBeNull();
  expect(await host.run(['nft', 'list', 'tables'])).toBe('');
  await removeGuard(nft);
  expect(await pod.run(['nft', 'list', 'tables'])).toBe('');
});

test('transactions of both namespaces at once each arrive in theirs', async () => {
  const { nft } = inPodSite();
  const table = (name: string): unknown[] => [{ add: { table: { family: 'inet', name } } }];
  const names = Array.from({ length: 10 }, (_, i) => String(i));
  await Promise.all(
    names.flatMap((name) => [nft.apply(table(`pod${name}`)), sites.own.nft.apply(table(`host${name}`))]),
  );
  for (const [namespace, side] of [
    [pod, 'pod'],
    [host, 'host'],
  ] as const) {
    const listed = (await namespace.run(['nft', 'list', 'tables'])).trim().split('\n').sort();
    expect(listed).toEqual(names.map((name) => `table inet ${side}${name}`).sort());
    await namespace.run(['nft', 'flush', 'ruleset']);
  }
});

test('changes of links and rules there are told, those of here are not, nor anything once the site is closed', async () => {
  const site = inPodSite();
  const told = { links: 0, guard: 0, closed: 0 };
  site.watchLinks(() => void (told.links += 1));
  site.watchGuard(() => void (told.guard += 1));
  site.watchLinks(() => void (told.closed += 1)).close();
  await host.run(['ip', 'link', 'add', 'seen', 'type', 'bridge']);
  await host.run(['nft', 'add', 'table', 'inet', 'seen']);
  await new Promise((resolve) => setTimeout(resolve));
  expect(told).toEqual({ links: 0, guard: 0, closed: 0 });
  await pod.run(['ip', 'link', 'add', 'seen', 'type', 'bridge']);
  await poll('a call', () => told.links > 0);
  await pod.run(['nft', 'add', 'table', 'inet', 'seen']);
  await poll('a call', () => told.guard > 0);
  sites.close();
  Object.assign(told, { links: 0, guard: 0 });
  for (const namespace of [host, pod]) {
    await namespace.run(['ip', 'link', 'del', 'seen']);
    await namespace.run(['nft', 'delete', 'table', 'inet', 'seen']);
  }
  await new Promise(setImmediate);
  expect(told).toEqual({ links: 0, guard: 0, closed: 0 });
});

test('our own namespace is no other one, and an open one is given again', async () => {
  const ownId = ownNetworkNamespace();
  const inHost = await lasting(host);
  expect(sites.open(ownId, pidOf(inHost))).toBe(sites.own);
  const site = inPodSite();
  // Whoever it is through: the descriptor is there.
  expect(sites.open(podId, pidOf(elsewhere))).toBe(site);
  sites.keep(new Set([podId]));
  expect(sites.open(podId, pidOf(inPod))).toBe(site);
  expect(Object.keys(site.kernel).sort()).toEqual(Object.keys(systemKernel()).sort());
});

test('a pid that is another process by now, or none, leads nowhere', async () => {
  const before = descriptors();
  const moved = reasonOf(sites.open(podId, pidOf(elsewhere)));
  expect(moved).toContain(podId);
  expect(moved).toMatch(/neither is in it nor holds a tap there by now/);
  const brief = await lasting(pod);
  const pid = pidOf(brief);
  await brief.kill();
  expect(reasonOf(sites.open(podId, pid))).toContain(`pid ${pid} has ended`);
  expect(descriptors()).toBe(before);
});

test('a namespace whose processes and name go while it is open loses its taps, and goes itself when it is let go', async () => {
  const name = `${lab.name}-${String(process.pid)}-brief`;
  lab.undoLater(`! test -e /run/netns/${name} || ip netns del ${name}`);
  await mustRun(['ip', 'netns', 'add', name]);
  await host.run(['ip', 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'away', 'netns', name]);
  const brief = startChild(
    host,
    `tap.createTap('tap9'); say(process.pid); setInterval(() => undefined, 1e6);`,
    ['nsenter', `--net=/run/netns/${name}`],
  );
  const id = (await mustRun(['ip', 'netns', 'exec', name, 'readlink', '/proc/self/ns/net'])).trim();
  const site = opened(id, await brief.next<number>());
  site.watchLinks(() => undefined);
  const tap = site.kernel.linkByName('tap9')?.ifindex ?? 0;
  const pinDir = `${pins}/tap9`;
  site.kernel.attachFilter(pinDir, tap);
  await brief.kill();
  await mustRun(['ip', 'netns', 'del', name]);

  expect(site.kernel.linkByName('tap9')).toBeNull();
  expect(() => site.kernel.setLink(tap, { up: true })).toThrow(
    expect.objectContaining({ code: 'VMN_NETLINK', on: `ifindex ${String(tap)}` }),
  );
  expect(site.kernel.readBack(pinDir)).toMatchObject({ fromVm: { ifindex: 0 }, toVm: { ifindex: 0 } });
  expect(() => site.kernel.attachFilter(pinDir, tap)).toThrow(
    expect.objectContaining({ code: 'VMN_BPF_ATTACH', remedy: expect.stringContaining('gone') }),
  );
  site.kernel.removePins(pinDir);
  site.kernel.removeSharedPins(pins);
  expect(linkByName('near')).not.toBeNull();

  sites.keep(new Set([podId]));
  // The other end of the pair goes with the namespace.
  await poll('the namespace to go', () => linkByName('near') === null);
  const letGo = expect.objectContaining({ code: 'VMN_NETLINK', on: id });
  expect(() => site.kernel.links()).toThrow(letGo);
  expect(() => site.watchLinks(() => undefined)).toThrow(letGo);
  await expect(site.nft.listTable('vmnetwork', 'inet')).rejects.toEqual(letGo);
});

test('opening, working and closing 1,000 times leaves nothing open', async () => {
  setLink(linkByName('lo')?.ifindex ?? 0, { up: true });
  const threads = (): number => readdirSync('/proc/self/task').length;
  const before = [descriptors(), threads()];
  for (let i = 0; i < 1000; i++) {
    const site = inPodSite();
    site.kernel.links();
    expect(() => site.kernel.setLink(4711, { up: true })).toThrow();
    if (i % 10 === 0) {
      site.watchLinks(() => undefined);
      site.watchGuard(() => undefined).close();
    }
    if (i % 100 === 0) {
      await site.nft.listTable('none', 'inet');
      await new Promise(setImmediate);
    }
    sites.close();
    sites.close();
  }
  await poll('all to be closed', () => descriptors() <= before[0]! && threads() <= before[1]!);
});

test.each([
  ['CAP_SYS_ADMIN', '-sys_admin'],
  ['CAP_SYS_PTRACE', '-sys_ptrace,-dac_read_search,-dac_override,-sys_admin'],
])(
  'without %s the reason says so, with what to do',
  async (capability, bounds) => {
    // Of another user: whose namespaces may be looked at is a matter of capabilities then.
    const stranger = startChild(pod, `say(process.pid); setInterval(() => undefined, 1e6);`, [
      'setpriv',
      '--reuid=65534',
      '--clear-groups',
    ]);
    const theirs = await stranger.next<number>();
    const child = startChild(
      host,
      `
    const { systemSites } = await import(${JSON.stringify(new URL('../../src/agent/host/system-site.ts', import.meta.url).href)});
    const sites = systemSites();
    say(sites.open(${JSON.stringify(podId)}, ${String(theirs)}));
    say(sites.own.kernel.links().length > 0);
    `,
      ['setpriv', '--bounding-set', bounds],
    );
    const { reason } = await child.next<{ reason: string }>();
    expect(reason).toContain(podId);
    expect(reason).toContain('Run as root');
    expect(reason).toContain(capability);
    expect(await child.next()).toBe(true);
    expect(await child.end()).toBe(0);
    await stranger.kill();
  },
  20_000,
);
