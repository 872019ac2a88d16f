import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { linkByName, setLink } from '../../src/native/rtnetlink.ts';
import { createTap } from '../../src/native/tap.ts';
import { MonitorUser } from '../support/discovery/qemu.ts';
import { WatchedHost } from '../support/discovery/watched-host.ts';
import { card, filterable, WatchedVms } from '../support/discovery/watched-vms.ts';
import { poll } from '../support/lab/index.ts';
import { executable, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

/** Real QEMUs, started as people start them; what is found is held against what they were given and what `ip` shows. */
const { test } = requires(root, executable('qemu-system-x86_64'));

const watched = new WatchedHost('disc');

const UUID = '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11';
const MAC_A = '52:54:00:aa:00:01';
const MAC_B = '52:54:00:aa:00:02';

const tap = (id: string, name: string): string[] => [
  '-netdev',
  `tap,id=${id},ifname=${name},script=no,downscript=no`,
];
const nic = (netdev: string, mac: string): string[] => [
  '-device',
  `virtio-net-pci,netdev=${netdev},mac=${mac}`,
];
const qmp = (name: string): { path: string; words: string[] } => {
  const path = watched.host.scratchFile(`${name}.sock`);
  return { path, words: ['-qmp', `unix:${path},server=on,wait=off`] };
};

test('a VM on a tap that QEMU makes itself is found by an event, with its card and its interface', async () => {
  const qemu = watched.start([
    '-name',
    'guest=plain,debug-threads=on,process=else',
    '-uuid',
    UUID,
    ...tap('n', 'dt0'),
    ...nic('n', MAC_A),
  ]);
  const vm = await watched.vms.vm('plain', filterable(1));
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
  await watched.host.run(['ip', 'tuntap', 'add', 'stays', 'mode', 'tap']);
  const qemu = watched.start(['-name', 'killed', ...tap('n', 'stays'), ...nic('n', MAC_A)]);
  await watched.vms.vm('killed', filterable(1));
  const ifindex = String(linkByName('stays')?.ifindex);
  await qemu.kill();
  await watched.vms.gone('killed');
  // The tap stays, then what comes in its place has its name and its number: neither makes a VM.
  await watched.host.run(['ip', 'link', 'del', 'stays']);
  await watched.host.run(['ip', 'link', 'add', 'stays', 'index', ifindex, 'type', 'bridge']);
  watched.start(['-name', 'next', ...tap('n', 'after'), ...nic('n', MAC_A)]);
  expect((await watched.vms.vm('next', filterable(1))).cards[0]?.link?.name).toBe('after');
  expect(JSON.stringify(watched.vms.vms.list())).not.toContain('"stays"');
  await watched.host.run(['ip', 'link', 'del', 'stays']);
});

test('a tap that was handed over by its descriptor, and one of several queues', async () => {
  const made = createTap('dtfd');
  setLink(made.ifindex, { up: true });
  await watched.host.run(['ip', 'tuntap', 'add', 'dtmq', 'mode', 'tap', 'multi_queue']);
  watched.start(
    [
      '-name',
      'handed',
      ...['-netdev', 'tap,id=a,fd=3', ...nic('a', MAC_A)],
      ...['-netdev', 'tap,id=b,ifname=dtmq,script=no,downscript=no,queues=2'],
      ...['-device', `virtio-net-pci,netdev=b,mac=${MAC_B},mq=on,vectors=6`],
    ],
    { fds: [made.fd] },
  );
  closeSync(made.fd);
  const vm = await watched.vms.vm('handed', filterable(2));
  expect(card(vm, MAC_A)?.link).toEqual({ netns: null, ifindex: made.ifindex, name: 'dtfd' });
  expect(card(vm, MAC_B)?.link).toEqual({ netns: null, ifindex: linkByName('dtmq')?.ifindex, name: 'dtmq' });
});

test('two cards keep their interfaces when both are renamed, and enslaving changes nothing', async () => {
  watched.start([
    '-name',
    'renamed',
    ...tap('a', 'dra'),
    ...nic('a', MAC_A),
    ...tap('b', 'drb'),
    ...nic('b', MAC_B),
  ]);
  const before = await watched.vms.vm('renamed', filterable(2));
  const indexOf = (mac: string): number | undefined => card(before, mac)?.link?.ifindex;
  for (const [from, to] of [
    ['dra', 'dr-x'],
    ['drb', 'dr-y'],
  ] as const) {
    await watched.host.run(['ip', 'link', 'set', from, 'name', to]);
    await poll(`${to} to be told`, () => JSON.stringify(watched.vms.named('renamed')).includes(to));
  }
  const after = await watched.vms.vm('renamed', filterable(2));
  expect(card(after, MAC_A)?.link).toEqual({ netns: null, ifindex: indexOf(MAC_A), name: 'dr-x' });
  expect(card(after, MAC_B)?.link).toEqual({ netns: null, ifindex: indexOf(MAC_B), name: 'dr-y' });

  const told = new Set<string>();
  watched.vms.vms.onChange(() => told.add(JSON.stringify(watched.vms.named('renamed'))));
  await watched.host.run(['ip', 'link', 'add', 'drbr', 'type', 'bridge']);
  await watched.host.run(['ip', 'link', 'set', 'dr-x', 'master', 'drbr']);
  await watched.host.run(['ip', 'link', 'set', 'dr-x', 'nomaster']);
  await watched.host.run(['ip', 'link', 'del', 'drbr']);
  // What comes last is seen last.
  await watched.host.run(['ip', 'link', 'set', 'dr-y', 'name', 'dr-z']);
  await watched.vms.vm('renamed', (vm) => card(vm, MAC_B)?.link?.name === 'dr-z');
  expect([...told]).toEqual([JSON.stringify(watched.vms.named('renamed'))]);
});

test('cards that are plugged and unplugged by a monitor come and go; a reboot changes nothing', async () => {
  const { path, words } = qmp('plug');
  watched.start(['-name', 'plugged', ...words]);
  const empty = await looking((often) => often.vm('plugged'));
  // QEMU gives a card with slirp to whoever says nothing about the network.
  expect(empty.reported.interfaces).toEqual([
    { mac: '52:54:00:12:34:56', unsupported: expect.stringContaining('slirp') },
  ]);

  const user = await MonitorUser.connect(path);
  await user.ask('netdev_add', { type: 'tap', id: 'late', ifname: 'dplate', script: 'no', downscript: 'no' });
  await poll('the tap that no card explains yet', () => {
    const [vm] = watched.vms.named('plugged');
    return vm?.cards.some(
      ({ mac, link, unsupported }) => mac === '' && link?.name === 'dplate' && unsupported !== null,
    );
  });
  await user.ask('device_add', { driver: 'virtio-net-pci', netdev: 'late', id: 'card', mac: MAC_B });
  user.close();
  const plugged = await watched.vms.vm('plugged', (vm) => card(vm, MAC_B)?.unsupported === null);
  expect(card(plugged, MAC_B)?.link?.name).toBe('dplate');
  expect(plugged.cards).toHaveLength(2);

  const again = await MonitorUser.connect(path);
  await again.ask('cont');
  await again.ask('system_reset');
  await again.ask('stop');
  // Without a guest that agrees the card itself stays; its end on the host goes.
  await again.ask('netdev_del', { id: 'late' });
  again.close();
  await watched.vms.vm(
    'plugged',
    (vm) => card(vm, MAC_B)?.link === null && card(vm, MAC_B)?.unsupported !== null,
  );
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
  watched.start(['-name', 'slirped', '-nic', `user,mac=${MAC_A}`]);
  watched.start(['-name', 'cardless', '-nic', 'none']);
  watched.start([
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
  await watched.host.run(['ip', 'link', 'add', 'dummy0', 'type', 'veth', 'peer', 'name', 'dummy1']);
  await watched.host.run([
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
  const made = await watched.host.run([
    'unshare',
    '-m',
    'sh',
    '-c',
    'mount -t sysfs s /sys && cat /sys/class/macvtap/*/dev',
  ]);
  const node = join(watched.lab.scratch, 'tap1');
  await watched.host.run(['mknod', node, 'c', ...made.trim().split(':')]);
  const qemu = watched.start(['-name', 'macvtapped', '-netdev', 'tap,id=m,fd=3', ...nic('m', MAC_A)], {
    wrap: ['sh', '-c', `exec 3<>${node}; exec "$0" "$@"`],
  });
  const vm = await looking((often) => often.vm('macvtapped', ({ cards }) => cards.length > 0));
  expect(vm.cards).toEqual([
    expect.objectContaining({
      mac: MAC_A,
      link: expect.objectContaining({ name: 'dmv' }),
      unsupported: expect.stringContaining('past any filter'),
    }),
  ]);
  await qemu.kill();
  await watched.host.run(['ip', 'link', 'del', 'dummy0']);
});
