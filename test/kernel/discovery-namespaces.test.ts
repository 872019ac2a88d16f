import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, expect } from '@jest/globals';
import { linkByName } from '../../src/native/rtnetlink.ts';
import { MonitorUser, type Qemu } from '../support/discovery/qemu.ts';
import { WatchedHost } from '../support/discovery/watched-host.ts';
import { card, filterable, WatchedVms } from '../support/discovery/watched-vms.ts';
import { mustRun, type Namespace, poll } from '../support/lab/index.ts';
import { executable, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

/** VMs whose taps are in other network namespaces than the agent, as KubeVirt has them. */
const { test } = requires(root, executable('qemu-system-x86_64'));

const watched = new WatchedHost('discns');
let pod: Namespace;
beforeAll(async () => {
  pod = await watched.lab.namespace('pod');
}, 30_000);

const MAC_A = '52:54:00:aa:00:01';
const MAC_B = '52:54:00:aa:00:02';

const cards = (a: string, b: string): string[] => [
  ...[
    '-netdev',
    `tap,id=a,ifname=${a},script=no,downscript=no`,
    '-device',
    `virtio-net-pci,netdev=a,mac=${MAC_A}`,
  ],
  ...[
    '-netdev',
    `tap,id=b,ifname=${b},script=no,downscript=no`,
    '-device',
    `virtio-net-pci,netdev=b,mac=${MAC_B}`,
  ],
];

function start(namespace: Namespace, words: readonly string[], wrap: readonly string[] = []): Qemu {
  return watched.start(words, { namespace, wrap });
}

const inodeOf = async (namespace: Namespace): Promise<string> =>
  (await namespace.run(['readlink', '/proc/self/ns/net'])).trim();
async function indexIn(namespace: Namespace, name: string): Promise<number | undefined> {
  const links = JSON.parse(await namespace.run(['ip', '-json', 'link'])) as {
    ifname: string;
    ifindex: number;
  }[];
  return links.find(({ ifname }) => ifname === name)?.ifindex;
}

test("a VM in a pod's namespace is found by the event there, and its interfaces by where they are", async () => {
  start(pod, ['-name', 'inside', ...cards('tap0', 'tap1')]);
  const vm = await watched.vms.vm('inside', filterable(2));
  const netns = await inodeOf(pod);
  expect(card(vm, MAC_A)?.link).toEqual({ netns, ifindex: await indexIn(pod, 'tap0'), name: 'tap0' });
  expect(card(vm, MAC_B)?.link).toEqual({ netns, ifindex: await indexIn(pod, 'tap1'), name: 'tap1' });
});

test('a namespace that is mounted over its name only some time after that was made is watched from then on', async () => {
  const path = `/run/netns/${watched.lab.name}-${String(process.pid)}-late`;
  watched.lab.undoLater(`umount -q ${path}; rm -f ${path}`);
  await mustRun(['touch', path]);
  await pause(200);
  // Of the mount nobody is told.
  await mustRun(['unshare', `--net=${path}`, 'true']);
  await pause(200);
  start(watched.host, ['-name', 'late', ...cards('tapl', 'tapk')], ['nsenter', `--net=${path}`]);
  await watched.vms.vm('late', filterable(2));
});

test('taps of the same name in two namespaces are told apart', async () => {
  start(pod, ['-name', 'twin-pod', ...cards('tap0', 'tap1')]);
  start(watched.host, ['-name', 'twin-host', ...cards('tap0', 'tap1')]);
  expect(card(await watched.vms.vm('twin-pod', filterable(2)), MAC_A)?.link?.netns).toBe(await inodeOf(pod));
  expect(card(await watched.vms.vm('twin-host', filterable(2)), MAC_A)?.link?.netns).toBeNull();
});

test("the monitor of a VM in a pod's namespace is asked, but not while somebody of another one holds it", async () => {
  const path = pod.scratchFile('qmp.sock');
  const mac = '52:54:00:aa:00:03';
  const words = ['-name', 'asked', '-qmp', `unix:${path},server=on,wait=off`, ...cards('tap0', 'tap1')];
  const qemu = start(pod, words);
  // From this thread's namespace.
  const owner = await MonitorUser.connect(path);
  await owner.ask('device_add', { driver: 'e1000', id: 'only-the-monitor-tells', mac });
  const often = new WatchedVms({ resyncMs: 50 });
  await often.vm('asked', filterable(2));
  await poll('more looks', async () => {
    expect(await owner.ask('query-status')).toMatchObject({ status: 'prelaunch' });
    return (often.asked.get(qemu.pid) ?? 0) > 10;
  });
  expect(card(await often.vm('asked'), mac)).toBeUndefined();
  owner.close();
  await often.vm('asked', (vm) => card(vm, mac) !== undefined);
  often.close();
});

test('a VM in a container is asked at the path that its monitor has there', async () => {
  const mac = '52:54:00:aa:00:04';
  const inside = [
    'unshare',
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-c',
    'mount -t tmpfs t /mnt && exec "$0" "$@"',
  ];
  const qemu = start(
    pod,
    ['-name', 'contained', '-qmp', 'unix:/mnt/q.sock,server=on,wait=off', ...cards('tap0', 'tap1')],
    inside,
  );
  await watched.vms.vm('contained', filterable(2));
  // From in there a card is plugged of which only the monitor tells.
  const container = `/proc/${String(qemu.pid)}/root/mnt/q.sock`;
  const owner = await MonitorUser.connect(container);
  await owner.ask('device_add', { driver: 'e1000', id: 'late', mac });
  owner.close();
  const often = new WatchedVms({ resyncMs: 200 });
  await often.vm('contained', (vm) => card(vm, mac) !== undefined);
  often.close();
});

test("a tap that is moved out of the VM's namespace, renamed there and moved again is followed", async () => {
  start(pod, ['-name', 'moved', ...cards('tapm', 'tapn')]);
  await watched.vms.vm('moved', filterable(2));
  await pod.run(['ip', 'link', 'set', 'tapm', 'netns', watched.host.id]);
  const out = await watched.vms.vm('moved', (vm) => card(vm, MAC_A)?.link?.netns === null);
  expect(card(out, MAC_A)?.link).toEqual({ netns: null, ifindex: linkByName('tapm')?.ifindex, name: 'tapm' });
  await watched.host.run(['ip', 'link', 'set', 'tapm', 'name', 'tapo']);
  await watched.vms.vm('moved', (vm) => card(vm, MAC_A)?.link?.name === 'tapo');

  // Into one that has come since, and that has no VM of its own.
  const third = await watched.lab.namespace('third');
  await watched.host.run(['ip', 'link', 'set', 'tapo', 'netns', third.id]);
  const netns = await inodeOf(third);
  const there = await watched.vms.vm('moved', (vm) => card(vm, MAC_A)?.link?.netns === netns);
  expect(card(there, MAC_A)).toMatchObject({
    unsupported: null,
    link: { ifindex: await indexIn(third, 'tapo') },
  });
  expect(card(there, MAC_B)).toMatchObject({ unsupported: null, link: { netns: await inodeOf(pod) } });
});

test('a VM in a namespace without a name is found by the slow look', async () => {
  start(watched.host, ['-name', 'nameless', ...cards('tapu', 'tapv')], ['unshare', '--net']);
  const often = new WatchedVms({ resyncMs: 200 });
  const vm = await often.vm('nameless', filterable(2));
  often.close();
  expect(card(vm, MAC_A)?.link?.netns).toMatch(/^net:\[\d+\]$/);
  expect([null, await inodeOf(pod)]).not.toContain(card(vm, MAC_A)?.link?.netns);
});

test('a namespace that is deleted is not kept alive by being watched', async () => {
  const name = `${watched.lab.name}-${String(process.pid)}-brief`;
  watched.lab.undoLater(`! test -e /run/netns/${name} || ip netns del ${name}`);
  await mustRun(['ip', 'netns', 'add', name]);
  await watched.host.run([
    'ip',
    'link',
    'add',
    'near',
    'type',
    'veth',
    'peer',
    'name',
    'away',
    'netns',
    name,
  ]);
  // It is watched by the time a tap in it is known to be held.
  const qemu = start(
    watched.host,
    ['-name', 'brief', ...cards('tapx', 'tapy')],
    ['nsenter', `--net=/run/netns/${name}`],
  );
  await watched.vms.vm('brief', filterable(2));
  await qemu.kill();
  await watched.vms.gone('brief');
  expect(linkByName('near')).not.toBeNull();
  await mustRun(['ip', 'netns', 'del', name]);
  // The other end of the pair goes with the namespace.
  await poll('the namespace to go', () => linkByName('near') === null);
});

test('this thread never leaves its namespace, and nothing is left open', async () => {
  const home = readlinkSync('/proc/thread-self/ns/net');
  expect(home).toBe(await inodeOf(watched.host));
  const open = (): number => readdirSync('/proc/self/fd').length;
  start(pod, ['-name', 'leaky', ...cards('tap0', 'tap1')]);
  await watched.vms.vm('leaky', filterable(2));
  const before = open();
  for (let i = 0; i < 20; i++) {
    const again = new WatchedVms();
    expect(again.named('leaky')).toHaveLength(1);
    again.close();
    again.close();
  }
  await poll('all of it to be closed', () => open() <= before);
  expect(readlinkSync('/proc/thread-self/ns/net')).toBe(home);
});
