import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import { linkByName, setLink } from '../../src/native/rtnetlink.ts';
import { createTap } from '../../src/native/tap.ts';
import { MonitorUser, Qemu } from '../support/discovery/qemu.ts';
import { card, filterable, WatchedVms } from '../support/discovery/watched-vms.ts';
import { Lab, type Namespace, poll } from '../support/lab/index.ts';
import { executable, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { moveInto } from '../support/stage/own-namespace.ts';

/** Real QEMUs, started as people start them; what is found is held against what they were given and what `ip` shows. */
const { test } = requires(root, executable('qemu-system-x86_64'));

let lab: Lab;
let host: Namespace;
let leave: () => void;
let vms: WatchedVms;
const running: Qemu[] = [];
beforeAll(async () => {
  lab = await Lab.create('disc');
  host = await lab.namespace('host');
  leave = moveInto(host);
  vms = new WatchedVms();
}, 30_000);
afterEach(async () => {
  for (const qemu of running.splice(0)) await qemu.kill();
});
afterAll(async () => {
  vms?.close();
  leave?.();
  await lab?.close();
}, 30_000);

const UUID = '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11';
const MAC_A = '52:54:00:aa:00:01';
const MAC_B = '52:54:00:aa:00:02';

function start(words: readonly string[], fds: readonly number[] = []): Qemu {
  const qemu = new Qemu(host, words, { fds });
  running.push(qemu);
  return qemu;
}

const tap = (id: string, name: string): string[] => [
  '-netdev',
  `tap,id=${id},ifname=${name},script=no,downscript=no`,
];
const nic = (netdev: string, mac: string): string[] => [
  '-device',
  `virtio-net-pci,netdev=${netdev},mac=${mac}`,
];
const qmp = (name: string): { path: string; words: string[] } => {
  const path = host.scratchFile(`${name}.sock`);
  return { path, words: ['-qmp', `unix:${path},server=on,wait=off`] };
};

test('a VM on a tap that QEMU makes itself is found by an event, with its card and its interface', async () => {
  const qemu = start([
    '-name',
    'guest=plain,debug-threads=on,process=else',
    '-uuid',
    UUID,
    ...tap('n', 'dt0'),
    ...nic('n', MAC_A),
  ]);
  const vm = await vms.vm('plain', filterable(1));
  expect(vm.reported).toEqual({
    id: UUID,
    name: 'plain',
    uuid: UUID,
    labels: {},
    interfaces: [{ mac: MAC_A, name: 'dt0' }],
  });
  expect(vm.cards).toEqual([
    {
      mac: MAC_A,
      link: { netns: null, ifindex: linkByName('dt0')?.ifindex, name: 'dt0' },
      unsupported: null,
      pid: qemu.pid,
      startTicks: expect.stringMatching(/^\d+$/),
    },
  ]);
});

test('a VM that is killed is gone at once, its pid being watched', async () => {
  await host.run(['ip', 'tuntap', 'add', 'stays', 'mode', 'tap']);
  const qemu = start(['-name', 'killed', ...tap('n', 'stays'), ...nic('n', MAC_A)]);
  await vms.vm('killed', filterable(1));
  const ifindex = String(linkByName('stays')?.ifindex);
  await qemu.kill();
  await vms.gone('killed');
  // The tap stays, then what comes in its place has its name and its number: neither makes a VM.
  await host.run(['ip', 'link', 'del', 'stays']);
  await host.run(['ip', 'link', 'add', 'stays', 'index', ifindex, 'type', 'bridge']);
  start(['-name', 'next', ...tap('n', 'after'), ...nic('n', MAC_A)]);
  expect((await vms.vm('next', filterable(1))).cards[0]?.link?.name).toBe('after');
  expect(JSON.stringify(vms.vms.list())).not.toContain('"stays"');
  await host.run(['ip', 'link', 'del', 'stays']);
});

test('a tap that was handed over by its descriptor, and one of several queues', async () => {
  const made = createTap('dtfd');
  setLink(made.ifindex, { up: true });
  await host.run(['ip', 'tuntap', 'add', 'dtmq', 'mode', 'tap', 'multi_queue']);
  start(
    [
      '-name',
      'handed',
      ...['-netdev', 'tap,id=a,fd=3', ...nic('a', MAC_A)],
      ...['-netdev', 'tap,id=b,ifname=dtmq,script=no,downscript=no,queues=2'],
      ...['-device', `virtio-net-pci,netdev=b,mac=${MAC_B},mq=on,vectors=6`],
    ],
    [made.fd],
  );
  closeSync(made.fd);
  const vm = await vms.vm('handed', filterable(2));
  expect(card(vm, MAC_A)?.link).toEqual({ netns: null, ifindex: made.ifindex, name: 'dtfd' });
  expect(card(vm, MAC_B)?.link).toEqual({ netns: null, ifindex: linkByName('dtmq')?.ifindex, name: 'dtmq' });
});

test('two cards keep their interfaces when both are renamed, and enslaving changes nothing', async () => {
  start(['-name', 'renamed', ...tap('a', 'dra'), ...nic('a', MAC_A), ...tap('b', 'drb'), ...nic('b', MAC_B)]);
  const before = await vms.vm('renamed', filterable(2));
  const indexOf = (mac: string): number | undefined => card(before, mac)?.link?.ifindex;
  for (const [from, to] of [
    ['dra', 'dr-x'],
    ['drb', 'dr-y'],
  ] as const) {
    await host.run(['ip', 'link', 'set', from, 'name', to]);
    await poll(`${to} to be told`, () => JSON.stringify(vms.named('renamed')).includes(to));
  }
  const after = await vms.vm('renamed', filterable(2));
  expect(card(after, MAC_A)?.link).toEqual({ netns: null, ifindex: indexOf(MAC_A), name: 'dr-x' });
  expect(card(after, MAC_B)?.link).toEqual({ netns: null, ifindex: indexOf(MAC_B), name: 'dr-y' });

  const told = new Set<string>();
  vms.vms.onChange(() => told.add(JSON.stringify(vms.named('renamed'))));
  await host.run(['ip', 'link', 'add', 'drbr', 'type', 'bridge']);
  await host.run(['ip', 'link', 'set', 'dr-x', 'master', 'drbr']);
  await host.run(['ip', 'link', 'set', 'dr-x', 'nomaster']);
  await host.run(['ip', 'link', 'del', 'drbr']);
  // What comes last is seen last.
  await host.run(['ip', 'link', 'set', 'dr-y', 'name', 'dr-z']);
  await vms.vm('renamed', (vm) => card(vm, MAC_B)?.link?.name === 'dr-z');
  expect([...told]).toEqual([JSON.stringify(vms.named('renamed'))]);
});

test('cards that are plugged and unplugged by a monitor come and go; a reboot changes nothing', async () => {
  const { path, words } = qmp('plug');
  start(['-name', 'plugged', ...words]);
  const empty = await looking((often) => often.vm('plugged'));
  // QEMU gives a card with slirp to whoever says nothing about the network.
  expect(empty.reported.interfaces).toEqual([
    { mac: '52:54:00:12:34:56', unsupported: expect.stringContaining('slirp') },
  ]);

  const user = await MonitorUser.connect(path);
  await user.ask('netdev_add', { type: 'tap', id: 'late', ifname: 'dplate', script: 'no', downscript: 'no' });
  await poll('the tap that no card explains yet', () => {
    const [vm] = vms.named('plugged');
    return vm?.cards.some(
      ({ mac, link, unsupported }) => mac === '' && link?.name === 'dplate' && unsupported !== null,
    );
  });
  await user.ask('device_add', { driver: 'virtio-net-pci', netdev: 'late', id: 'card', mac: MAC_B });
  user.close();
  const plugged = await vms.vm('plugged', (vm) => card(vm, MAC_B)?.unsupported === null);
  expect(card(plugged, MAC_B)?.link?.name).toBe('dplate');
  expect(plugged.cards).toHaveLength(2);

  const again = await MonitorUser.connect(path);
  await again.ask('cont');
  await again.ask('system_reset');
  await again.ask('stop');
  // Without a guest that agrees the card itself stays; its end on the host goes.
  await again.ask('netdev_del', { id: 'late' });
  again.close();
  await vms.vm('plugged', (vm) => card(vm, MAC_B)?.link === null && card(vm, MAC_B)?.unsupported !== null);
}, 60_000);

/** What makes no event is found by the slow look. */
async function looking<T>(look: (often: WatchedVms) => Promise<T>): Promise<T> {
  const often = new WatchedVms({ resyncMs: 200 });
  try {
    return await look(often);
  } finally {
    often.close();
  }
}

test('backends without a tap are told as such, with what to do; no card is no card', async () => {
  start(['-name', 'slirped', '-nic', `user,mac=${MAC_A}`]);
  start(['-name', 'cardless', '-nic', 'none']);
  start([
    '-name',
    'socketed',
    '-netdev',
    'socket,id=s,udp=127.0.0.1:1,localaddr=127.0.0.1:2',
    ...nic('s', MAC_B),
  ]);
  await looking(async (often) => {
    const slirped = await often.vm('slirped');
    expect(slirped.cards).toEqual([
      expect.objectContaining({
        mac: MAC_A,
        link: null,
        unsupported: expect.stringMatching(/slirp.*use -netdev tap/),
      }),
    ]);
    expect(slirped.reported.interfaces).toEqual([{ mac: MAC_A, unsupported: slirped.cards[0]?.unsupported }]);
    expect(await often.vm('cardless')).toMatchObject({ cards: [], reported: { interfaces: [] } });
    expect((await often.vm('socketed')).cards[0]).toMatchObject({
      link: null,
      unsupported: expect.stringContaining('socket'),
    });
  });
});

test('macvtap is told as what passes the filter by', async () => {
  await host.run(['ip', 'link', 'add', 'dummy0', 'type', 'veth', 'peer', 'name', 'dummy1']);
  await host.run([
    'ip',
    'link',
    'add',
    'link',
    'dummy0',
    'name',
    'dmv',
    'type',
    'macvtap',
    'mode',
    'passthru',
  ]);
  // /sys shows the network namespace of whoever mounted it.
  const made = await host.run([
    'unshare',
    '-m',
    'sh',
    '-c',
    'mount -t sysfs s /sys && cat /sys/class/macvtap/*/dev',
  ]);
  const node = join(lab.scratch, 'tap1');
  await host.run(['mknod', node, 'c', ...made.trim().split(':')]);
  const qemu = new Qemu(host, ['-name', 'macvtapped', '-netdev', 'tap,id=m,fd=3', ...nic('m', MAC_A)], {
    wrap: ['sh', '-c', `exec 3<>${node}; exec "$0" "$@"`],
  });
  running.push(qemu);
  const vm = await looking((often) => often.vm('macvtapped', ({ cards }) => cards.length > 0));
  expect(vm.cards).toEqual([
    expect.objectContaining({
      mac: MAC_A,
      link: expect.objectContaining({ name: 'dmv' }),
      unsupported: expect.stringContaining('past any filter'),
    }),
  ]);
  await qemu.kill();
  await host.run(['ip', 'link', 'del', 'dummy0']);
});
