import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { FoundVms } from '../../../../src/agent/discovery/found-vms.ts';
import { identityOf } from '../../../../src/agent/wiring/identity.ts';
import { createLogger } from '../../../../src/lib/log.ts';
import { ModelMachine, type ModelProcess, OWN } from '../../../support/discovery/model-machine.ts';
import { MAC, startQemu } from '../../../support/discovery/model-qemu.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const RESYNC_MS = 30_000;

let clock: FakeClock;
let machine: ModelMachine;
let found: FoundVms;
let logged: string[];
beforeEach(() => {
  clock = new FakeClock();
  machine = new ModelMachine();
  logged = [];
  const log = createLogger({ destination: { write: (line: string) => void logged.push(line) } });
  found = new FoundVms({ machine, clock, log, resyncMs: RESYNC_MS });
});
afterEach(() => {
  found.close();
  expect(machine.isLetGo).toBe(true);
});

const qemu = (netns: number, tap: string, ...words: string[]): ModelProcess =>
  startQemu(machine, netns, tap, ...words);

const links = (): (string | undefined)[] =>
  found.list().flatMap(({ cards }) => cards.map(({ link }) => link?.name));
const reasons = (): (string | null)[] =>
  found.list().flatMap(({ cards }) => cards.map(({ unsupported }) => unsupported));

test('the first look is over when it has started', () => {
  qemu(OWN, 'tap0');
  found.start();
  expect(links()).toEqual(['tap0']);
  expect(reasons()).toEqual([null]);
});

test('what is found is dated back to when the kernel told of it, not to the look', async () => {
  found.start();
  await clock.advance(10);
  let toldMs: number | null = null;
  found.onChange(() => (toldMs ??= Number(found.toldNs / 1_000_000n)));
  const eventMs = Math.floor(clock.monotonicMs());
  qemu(OWN, 'tap0');
  await clock.advance(1000);
  expect(links()).toEqual(['tap0']);
  expect(toldMs).toBe(eventMs);
});

test('at rest it looks at nothing but each resync period', async () => {
  qemu(OWN, 'tap0');
  found.start();
  await clock.advance(RESYNC_MS - 1);
  let looks = 0;
  const pids = machine.pids.bind(machine);
  machine.pids = () => {
    looks += 1;
    return pids();
  };
  await clock.advance(10 * RESYNC_MS);
  expect(looks).toBe(10);
  expect(clock.pending).toBe(1);
});

test('what goes wrong in a look is said, ends nothing, and is tried again', async () => {
  qemu(OWN, 'tap0');
  found.start();
  const pids = machine.pids.bind(machine);
  machine.pids = () => {
    throw new Error('EMFILE');
  };
  const unnoticed = qemu(OWN, 'tap1', '-uuid', '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11');
  await clock.advance(RESYNC_MS);
  expect(links()).toEqual(['tap0']);
  expect(found.problems()).toEqual([expect.stringContaining('EMFILE')]);
  machine.pids = pids;
  await clock.advance(RESYNC_MS);
  expect(found.list().map(({ cards }) => cards[0]?.pid)).toContain(unnoticed.pid);
  expect(found.problems()).toEqual([]);
});

test('many events are one look, soon', async () => {
  found.start();
  await clock.advance(1000);
  let told = 0;
  found.onChange(() => (told += 1));
  for (let i = 0; i < 100; i++)
    qemu(OWN, `tap${String(i)}`, '-uuid', `6a0cbd52-1a0d-4d35-9d4b-${String(i).padStart(12, '0')}`);
  await clock.advance(50);
  expect(found.list()).toHaveLength(100);
  expect(told).toBeLessThan(3);
});

describe('a namespace', () => {
  test('is let go with its name, and with the last VM in it', async () => {
    const named = machine.makeNetns('pod');
    const vm = qemu(machine.makeNetns(null), 'tap0');
    found.start();
    machine.unnameNetns(named);
    await clock.advance(50);
    expect(machine.namespaces.has(named)).toBe(false);
    machine.kill(vm);
    await clock.advance(50);
    expect(machine.namespaces.has(vm.netns)).toBe(false);
    expect(machine.namespaces.size).toBe(1);
    expect(found.list()).toEqual([]);
  });

  test('whose name is there before it is itself is found, and a name that leads nowhere is given up', async () => {
    machine.makeName('stale');
    found.start();
    await clock.advance(5000);
    expect(clock.pending).toBe(1);
    machine.makeName('pod');
    await clock.advance(500);
    qemu(machine.makeNetns('pod'), 'tap0');
    await clock.advance(50);
    expect(links()).toEqual(['tap0']);
    expect(clock.pending).toBe(1);
  });

  test('without a name in which something else holds a tap is found, and let go with that', async () => {
    found.start();
    const hidden = machine.makeNetns(null);
    const stranger = machine.fork('firecracker', hidden);
    machine.fork('stays', hidden);
    machine.hold(stranger, 3, machine.makeTap(hidden, 'tap0'));
    await clock.advance(RESYNC_MS + 5000);
    expect(found.list()).toMatchObject([
      { cards: [{ link: { netns: `net:[${String(hidden)}]`, name: 'tap0' } }] },
    ]);
    expect(machine.namespaces.get(hidden)?.descriptors).toBe(1);
    machine.kill(stranger);
    await clock.advance(50);
    expect(found.list()).toEqual([]);
    expect(machine.namespaces.get(hidden)?.descriptors).toBe(0);
  });

  test('into which a tap is moved is watched, though it has neither name nor VM', async () => {
    const vm = qemu(OWN, 'tap0');
    found.start();
    const inode = machine.makeNetns(null);
    machine.fork('stays', inode);
    machine.move(vm.taps.get(3)!, inode);
    await clock.advance(50);
    expect(found.list()).toMatchObject([
      { cards: [{ unsupported: null, link: { netns: `net:[${String(inode)}]` } }] },
    ]);
    machine.rename(vm.taps.get(3)!, 'there');
    await clock.advance(50);
    expect(links()).toEqual(['there']);
  });

  test('that may not be looked into closes the VMs in it, and says so', async () => {
    machine.confined = true;
    qemu(machine.makeNetns('pod'), 'tap0');
    qemu(OWN, 'tap1', '-uuid', '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11');
    found.start();
    expect(found.list().map(({ cards }) => cards.map(({ unsupported }) => unsupported === null))).toEqual([
      [true],
      [false],
    ]);
    expect(reasons()[1]).toContain('cannot be read');
    expect(found.problems()).toEqual([expect.stringContaining('cannot be read')]);
    machine.confined = false;
    await clock.advance(RESYNC_MS);
    expect(reasons()).toEqual([null, null]);
    expect(found.problems()).toEqual([]);
    expect(logged).toHaveLength(1);
  });
});

test('processes that may not be looked into: their VMs are told, closed, with what to do', () => {
  machine.blind = true;
  qemu(OWN, 'tap0');
  found.start();
  expect(found.list()).toMatchObject([{ reported: { name: 'vm' }, cards: [{ mac: MAC, link: null }] }]);
  expect(reasons()).toEqual(['needs CAP_SYS_PTRACE']);
  expect(found.problems()).toEqual(['needs CAP_SYS_PTRACE']);
});

test('what cannot be seen is told when it begins and when it ends, with no VM come or gone', async () => {
  found.start();
  const told: (readonly string[])[] = [];
  found.onChange(() => told.push(found.problems()));
  machine.confined = true;
  machine.makeNetns('closed');
  await clock.advance(RESYNC_MS);
  expect(told).toEqual([[expect.stringContaining('CAP_SYS_ADMIN')]]);
  machine.confined = false;
  await clock.advance(RESYNC_MS);
  expect(told.at(-1)).toEqual([]);
  expect(found.list()).toEqual([]);
});

test('a tap that was renamed a moment ago is found, though its event is still on the way', async () => {
  const vm = qemu(OWN, 'tap0');
  found.start();
  machine.silent = true;
  machine.rename(vm.taps.get(3)!, 'other');
  machine.silent = false;
  const unnamed = machine.makeNetns('any');
  await clock.advance(50);
  expect(unnamed).toBeDefined();
  expect(links()).toEqual(['other']);
  expect(reasons()).toEqual([null]);
});

test('a process that is not QEMU yet when its tap is seen is found as soon as it is', async () => {
  const process = machine.fork('libvirtd', OWN);
  found.start();
  await clock.advance(60_000);
  machine.hold(process, 3, machine.makeTap(OWN, 'tap0'));
  await clock.advance(300);
  expect(found.list()).toEqual([]);
  process.program = 'qemu-kvm';
  process.words = [
    'qemu-kvm',
    '-name',
    'vm',
    '-netdev',
    'tap,id=n,fd=3',
    '-device',
    `nic,netdev=n,mac=${MAC}`,
  ];
  await clock.advance(2000);
  expect(links()).toEqual(['tap0']);
  expect(found.list()[0]?.reported.name).toBe('vm');
});

test('a tap whose holder cannot be seen is a problem, after it was looked for for some time', async () => {
  const hidden = machine.fork('hidden', OWN);
  machine.hold(hidden, 3, machine.makeTap(OWN, 'tap0'));
  machine.pids = () => [];
  found.start();
  await clock.advance(20_000);
  expect(found.problems()).toEqual([expect.stringContaining('cannot be seen')]);
  expect(found.list()).toEqual([]);
});

test('a VM whose process has ended is gone, though nobody has waited for it yet', async () => {
  const vm = qemu(OWN, 'tap0');
  found.start();
  const pids = machine.pids.bind(machine);
  machine.pids = () => [...pids(), vm.pid];
  machine.drop(vm, 3);
  await clock.advance(50);
  expect(found.list()).toHaveLength(1);
  machine.kill(vm);
  await clock.advance(50);
  expect(found.list()).toEqual([]);
});

test('a VM that takes hold of a tap of ours after it was seen is found with it at once', async () => {
  const { tap, alias } = identityOf('vm');
  const vm = machine.fork('qemu-system-x86_64', OWN);
  vm.words = [
    'qemu',
    '-name',
    'vm',
    '-netdev',
    `tap,id=n,ifname=${tap}`,
    '-device',
    `nic,netdev=n,mac=${MAC}`,
  ];
  found.start();
  expect(found.list()).toMatchObject([{ reported: { id: 'vm' }, cards: [] }]);
  machine.hold(vm, 3, machine.makeTap(OWN, tap, alias));
  await clock.advance(100);
  expect(found.list()).toMatchObject([{ cards: [{ mac: MAC, link: { name: tap }, unsupported: null }] }]);
});

test('something else that holds a tap of ours is none of the VMs that are found', async () => {
  const { tap, alias } = identityOf('vm');
  machine.hold(machine.fork('vmnetctl', OWN), 3, machine.makeTap(OWN, tap, alias));
  found.start();
  await clock.advance(20_000);
  expect(found.list()).toEqual([]);
  expect(found.problems()).toEqual([]);
  expect(clock.pending).toBe(1);
});

test('a card that is plugged after its tap is known soon, without a slow look', async () => {
  const vm = qemu(OWN, 'tap0', '-qmp', 'unix:/q,server=on,wait=off');
  vm.cards.set('n', { mac: MAC, fd: 3, kind: 'tap' });
  vm.monitor = 'free';
  found.start();
  await clock.advance(RESYNC_MS / 3);
  machine.hold(vm, 9, machine.makeTap(OWN, 'late'));
  await clock.advance(100);
  expect(reasons()).toEqual([null, expect.stringContaining('not known')]);
  vm.cards.set('m', { mac: '52:54:00:00:00:02', fd: 9, kind: 'tap' });
  await clock.advance(RESYNC_MS / 3);
  expect(links()).toEqual(['tap0', 'late']);
  expect(reasons()).toEqual([null, null]);
});

test('a process that becomes QEMU while its descriptors are looked at is a VM, though who opened its tap keeps it', async () => {
  const launcher = machine.fork('launcher', OWN);
  const child = machine.fork('ip', OWN);
  found.start();
  await clock.advance(5000);
  const tunFiles = machine.tunFiles.bind(machine);
  machine.tunFiles = (pid, fds) => {
    if (pid === child.pid) {
      child.program = 'qemu-system-x86_64';
      const card = ['-netdev', 'tap,id=n,fd=3', '-device', `nic,netdev=n,mac=${MAC}`];
      child.words = ['qemu-system-x86_64', '-name', 'vm', ...card];
    }
    return tunFiles(pid, fds);
  };
  const tap = machine.makeTap(OWN, 'tap0');
  machine.hold(launcher, 5, tap);
  machine.hold(child, 3, tap);
  await clock.advance(4000);
  expect([links(), reasons()]).toEqual([['tap0'], [null]]);
});

test('a tap that is plugged by who opened it long ago, and keeps it, is the card of its VM alone', async () => {
  const vm = qemu(OWN, 'tap0', '-qmp', 'unix:/q,server=on,wait=off');
  vm.monitor = 'free';
  vm.cards.set('n', { mac: MAC, fd: 3, kind: 'tap' });
  const launcher = machine.fork('launcher', OWN);
  const late = machine.makeTap(OWN, 'late');
  machine.hold(launcher, 5, late);
  found.start();
  await clock.advance(5000);
  expect(reasons()).toEqual([expect.stringContaining('no QEMU'), null]);
  machine.hold(vm, 9, late);
  vm.cards.set('m', { mac: '52:54:00:00:00:02', fd: 9, kind: 'tap' });
  machine.setUp(late);
  await clock.advance(1000);
  expect([links(), reasons()]).toEqual([
    ['tap0', 'late'],
    [null, null],
  ]);
  // Unplugged it is the launcher's again.
  vm.cards.delete('m');
  machine.drop(vm, 9);
  machine.setUp(late);
  await clock.advance(1000);
  expect(reasons()).toEqual([expect.stringContaining('no QEMU'), null]);
});

test('a pid that another process of the same program has by now is another stranger', async () => {
  const stranger = machine.fork('openvpn', OWN);
  machine.hold(stranger, 3, machine.makeTap(OWN, 'tap0'));
  found.start();
  await clock.advance(5000);
  const before = found.list().map(({ reported }) => reported.id);
  machine.processes.set(stranger.pid, { ...stranger, startTicks: '7' });
  await clock.advance(RESYNC_MS + 5000);
  expect(before).toEqual([`process-${String(stranger.pid)}-${stranger.startTicks}`]);
  expect(found.list().map(({ reported }) => reported.id)).toEqual([`process-${String(stranger.pid)}-7`]);
});

test("a pid that is another process's by now is not the same VM", async () => {
  const vm = qemu(OWN, 'tap0', '-uuid', '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11');
  found.start();
  const [before] = found.list();
  machine.silent = true;
  machine.kill(vm);
  const next = qemu(OWN, 'tap1');
  machine.silent = false;
  machine.processes.delete(next.pid);
  machine.processes.set(vm.pid, { ...next, pid: vm.pid });
  await clock.advance(RESYNC_MS);
  const [after] = found.list();
  expect(before?.reported.uuid).toBeDefined();
  expect(after?.reported).not.toHaveProperty('uuid');
  expect(after?.cards[0]?.startTicks).not.toBe(before?.cards[0]?.startTicks);
});
