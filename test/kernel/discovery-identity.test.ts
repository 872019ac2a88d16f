import { closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { virtualMachineSchema } from '../../src/api/v1alpha1/virtual-machine.ts';
import type { HostVm } from '../../src/agent/discovery/directory.ts';
import { createTap } from '../../src/native/tap.ts';
import { WatchedHost } from '../support/discovery/watched-host.ts';
import { card, filterable } from '../support/discovery/watched-vms.ts';
import { mustRun, poll } from '../support/lab/index.ts';
import { executable, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

/** Who VMs say they are, and what is made of it. */
const { test } = requires(root, executable('qemu-system-x86_64'));

const watched = new WatchedHost('discid');

const UUID = '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c22';
const MAC = '52:54:00:aa:00:01';
let taps = 0;

function onTap(): string[] {
  const name = `di${String(taps++)}`;
  return [
    ...['-netdev', `tap,id=n,ifname=${name},script=no,downscript=no`],
    ...['-device', `virtio-net-pci,netdev=n,mac=${MAC}`],
  ];
}

test('two processes that claim one uuid are both told, and neither can be filtered', async () => {
  watched.start(['-name', 'claims-a', '-uuid', UUID, ...onTap()]);
  await watched.vms.vm('claims-a', filterable(1));
  const second = watched.start(['-name', 'claims-b', '-uuid', UUID, ...onTap()]);
  for (const name of ['claims-a', 'claims-b']) {
    const vm = await watched.vms.vm(name, ({ cards }) =>
      cards.some(({ unsupported }) => unsupported !== null),
    );
    expect(vm.reported.id).toMatch(/^process-\d+-\d+$/);
    expect(card(vm, MAC)?.unsupported).toContain(`claims the same id ${UUID}`);
  }
  await second.kill();
  expect((await watched.vms.vm('claims-a', filterable(1))).reported.id).toBe(UUID);
});

test('the two ends of a migration within the host: the older is the VM, the newer is closed and takes over at its end', async () => {
  const source = watched.start(['-name', 'migrates', '-uuid', UUID, ...onTap()]);
  await watched.vms.vm('migrates', filterable(1));
  const target = watched.start(['-name', 'migrates', '-uuid', UUID, '-incoming', 'defer', ...onTap()]);
  const waiting = await poll('the target', () =>
    watched.vms.vms
      .list()
      .find(({ cards }) => cards.some(({ pid, link }) => pid === target.pid && link !== null)),
  );
  expect(waiting).toMatchObject({
    reported: { id: expect.stringMatching(`^process-${String(target.pid)}-`) },
    cards: [{ unsupported: expect.stringContaining('on its way') }],
  });
  expect(waiting.reported).not.toHaveProperty('uuid');
  expect(watched.vms.named('migrates')).toMatchObject([
    { reported: { id: UUID }, cards: [{ pid: source.pid, unsupported: null }] },
  ]);
  await source.kill();
  const after = await watched.vms.vm('migrates', (vm) => vm.cards[0]?.pid === target.pid);
  expect(after).toMatchObject({ reported: { id: UUID }, cards: [{ unsupported: null }] });
});

test('names that are none break nothing, and cannot pass for another', async () => {
  const hostile = [`evil\nname: other`, `x`.repeat(10_000), '../../../etc', 'ünïcode 🌍', ' ', 'a{"b":1}'];
  const started = [
    watched.start(['-name', 'guest=evil', ...onTap()]),
    ...hostile.map((name) => watched.start(['-name', `guest=${name.replaceAll(',', ',,')}`, ...onTap()])),
    watched.start(['-name', `guest=spaced name`, '-uuid', UUID, ...onTap()]),
    watched.start(onTap()),
  ];
  const pids = new Set(started.map(({ pid }) => pid));
  const found = () =>
    watched.vms.vms.list().filter(({ cards }) => cards.some(({ pid }) => pid !== null && pids.has(pid)));
  await watched.vms.vm('evil', () => found().length === pids.size);
  for (const { reported } of found()) expect(virtualMachineSchema.parse(reported)).toEqual(reported);
  expect(new Set(found().map(({ reported }) => reported.id)).size).toBe(pids.size);
  const open = found().filter(({ cards }) => cards.every(({ unsupported }) => unsupported === null));
  // Only who can be named: by a name that is one, or by its uuid.
  expect(open.map(({ reported }) => reported.id).sort()).toEqual([UUID, 'evil']);
  const closed = found().flatMap(({ cards }) => cards.flatMap(({ unsupported }) => unsupported ?? []));
  expect(closed.filter((reason) => reason.includes('is no name of a VM'))).toHaveLength(hostile.length);
  expect(closed.filter((reason) => reason.includes('neither name nor uuid'))).toHaveLength(1);
}, 60_000);

test('the namespace of a KubeVirt VM is believed in a pod, and not outside', async () => {
  const cgroup2 = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/mounts', 'utf8'))?.[1] ?? '/sys/fs/cgroup';
  const pod = join(cgroup2, `kubepods-vmn-${String(process.pid)}`, 'pod0f3c9d3e-8a55-4a4e-9d0a-1b2c3d4e5f60');
  watched.lab.undoLater(`rmdir ${pod} ${join(pod, '..')} 2>/dev/null || true`);
  await mustRun(['mkdir', '-p', pod]);
  const inPod = ['sh', '-c', `echo $$ > ${pod}/cgroup.procs && exec "$0" "$@"`];
  watched.start(['-name', 'guest=tenant-a_disc-kubevirt', ...onTap()], { wrap: inPod });
  watched.start(['-name', 'guest=tenant-b_disc-outside', ...onTap()]);
  const vm = await watched.vms.vm('disc-kubevirt', filterable(1));
  expect(vm.reported).toMatchObject({ id: 'tenant-a_disc-kubevirt', namespace: 'tenant-a' });
  const outside = await watched.vms.vm('tenant-b_disc-outside', filterable(1));
  expect(outside.reported).not.toHaveProperty('namespace');
});

/** Something that is no VM by name, as soon as it is told. */
async function toldOf(pid: number): Promise<HostVm> {
  const id = `process-${String(pid)}-`;
  return await poll(`process ${String(pid)} to be told`, () =>
    watched.vms.vms.list().find(({ reported }) => reported.id.startsWith(id)),
  );
}

test('what holds a tap and is no QEMU is told, once it has held it for a while', async () => {
  const { fd, ifindex } = createTap('distranger');
  const stranger = await toldOf(process.pid).finally(() => closeSync(fd));
  expect(stranger.reported.interfaces).toEqual([]);
  expect(stranger.cards).toEqual([
    {
      mac: '',
      link: { netns: null, ifindex, name: 'distranger' },
      unsupported: expect.stringContaining('which is no QEMU'),
      pid: process.pid,
      startTicks: expect.any(String),
    },
  ]);
  await watched.vms.gone(stranger.reported.name);
}, 30_000);

test('a QEMU is known by its program, not by what it, or somebody else, calls itself', async () => {
  const pretender = watched.host.spawn([
    'bash',
    '-c',
    'exec -a qemu-system-x86_64 perl -e sleep -- -name guest=pretender',
  ]);
  const qemu = watched.start(['-name', 'guest=named,process=systemd', ...onTap()]);
  expect((await watched.vms.vm('named', filterable(1))).cards[0]?.pid).toBe(qemu.pid);
  expect(readFileSync(`/proc/${String(pretender.pid)}/cmdline`, 'utf8')).toContain('qemu-system-x86_64');
  expect(watched.vms.named('pretender')).toEqual([]);
  pretender.kill();
});
