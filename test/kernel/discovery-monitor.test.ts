import { createInterface } from 'node:readline';
import { copyFileSync, mkdirSync, readFileSync, realpathSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ChildProcess } from 'node:child_process';
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import { virtualMachineSchema } from '../../src/api/v1alpha1/virtual-machine.ts';
import { MonitorUser, Qemu } from '../support/discovery/qemu.ts';
import { card, filterable, WatchedVms } from '../support/discovery/watched-vms.ts';
import { Lab, mustRun, type Namespace, poll } from '../support/lab/index.ts';
import { executable, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { moveInto } from '../support/stage/own-namespace.ts';

/** Monitors that others use, that do not answer, and that are not what they seem. */
const { test } = requires(root, executable('qemu-system-x86_64'), executable('perl'));

const FAKE = fileURLToPath(new URL('../support/discovery/fake-qemu.pl', import.meta.url));
const MAC = '52:54:00:aa:00:01';

let lab: Lab;
let host: Namespace;
let leave: () => void;
let fakeProgram: string;
const running: { kill(): Promise<void> }[] = [];
beforeAll(async () => {
  lab = await Lab.create('discmon');
  host = await lab.namespace('host');
  leave = moveInto(host);
  fakeProgram = join(lab.scratch, 'qemu-system-fake');
  copyFileSync(realpathSync((await mustRun(['sh', '-c', 'command -v perl'])).trim()), fakeProgram);
}, 30_000);
afterEach(async () => {
  for (const process of running.splice(0)) await process.kill();
});
afterAll(async () => {
  leave?.();
  await lab?.close();
}, 30_000);

const socketOf = (name: string): string => join(lab.scratch, `${name}.sock`);
const qmp = (path: string): string[] => ['-qmp', `unix:${path},server=on,wait=off`];
const tap = (name: string): string[] => [
  ...['-netdev', `tap,id=n,ifname=${name},script=no,downscript=no`],
  ...['-device', `virtio-net-pci,netdev=n,mac=${MAC}`],
];

function start(words: readonly string[]): Qemu {
  const qemu = new Qemu(host, words);
  running.push(qemu);
  return qemu;
}

/** Sockets of this path that are no listener: clients of this namespace that were accepted, and such as wait. */
function clientsAt(path: string): number {
  const lines = readFileSync('/proc/thread-self/net/unix', 'utf8').split('\n');
  return lines.filter((line) => line.endsWith(` ${path}`) && !/^\S+ \S+ \S+ 00010000 /.test(line)).length;
}

async function watching<T>(look: (vms: WatchedVms) => Promise<T>): Promise<T> {
  const vms = new WatchedVms({ resyncMs: 100 });
  try {
    return await look(vms);
  } finally {
    vms.close();
  }
}

test('a monitor that somebody holds is left alone, and the command line tells', async () => {
  const path = socketOf('held');
  const qemu = start(['-name', 'held', ...qmp(path), ...tap('dm0')]);
  const owner = await MonitorUser.connect(path);
  expect(clientsAt(path)).toBe(1);
  await watching(async (vms) => {
    const vm = await vms.vm('held', filterable(1));
    expect(vm.reported.interfaces).toEqual([{ mac: MAC, name: 'dm0' }]);
    // Nobody ever queues, and the owner is answered all the time.
    await poll('twenty more looks', async () => {
      expect(await owner.ask('query-status')).toMatchObject({ status: 'prelaunch' });
      expect(clientsAt(path)).toBe(1);
      return (vms.asked.get(qemu.pid) ?? 0) > 20;
    });
  });
  expect(owner.closed).toBe(false);
  expect(owner.events).toEqual([]);
  // Free again, it is used: the name is one that only the monitor tells.
  await owner.ask('device_add', { driver: 'e1000', id: 'second', mac: '52:54:00:aa:00:02' });
  owner.close();
  await watching(async (vms) => {
    const vm = await vms.vm('held', ({ cards }) => cards.length === 2);
    expect(card(vm, '52:54:00:aa:00:02')?.unsupported).toContain('no network backend');
  });
  await poll('it to be left', () => clientsAt(path) === 0);
}, 60_000);

test('a QEMU that waits for its launcher is not set going', async () => {
  const path = socketOf('waits');
  const qemu = start(['-name', 'waits', '-qmp', `unix:${path},server=on`, ...tap('dm1')]);
  const beside = start(['-name', 'beside-waits', ...qmp(socketOf('beside-waits')), '-nic', 'none']);
  await watching(async (vms) => {
    await vms.vm('waits');
    await poll('ten looks', () => (vms.asked.get(beside.pid) ?? 0) > 10);
    expect(clientsAt(path)).toBe(0);
    // It has not come as far as its taps.
    expect(readFileSync('/proc/thread-self/net/dev', 'utf8')).not.toContain('dm1');
  });
  (await MonitorUser.connect(path)).close();
  await watching((vms) => vms.vm('waits', filterable(1)));
  expect(qemu.ended).toBe(false);
});

interface Fake {
  readonly process: ChildProcess;
  /** What it saw. */
  readonly said: string[];
}

async function startFake(behaviour: string, path: string, words: readonly string[]): Promise<Fake> {
  const child = host.spawn([fakeProgram, FAKE, behaviour, path, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: string[] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => said.push(line));
  running.push({
    kill: async () => {
      child.kill('SIGKILL');
      await poll('its end', () => child.signalCode !== null || child.exitCode !== null);
    },
  });
  await poll('it to listen', () => said.includes('listening'));
  return { process: child, said };
}

for (const behaviour of ['is silent', 'talks garbage', 'floods', 'drips', 'stops', 'lies']) {
  test(`a monitor that ${behaviour} is left soon, and harms nothing`, async () => {
    const key = behaviour.split(' ').at(-1) ?? '';
    const path = socketOf(key);
    const fake = await startFake(key, path, [
      '-name',
      `fake-${key}`,
      ...qmp(path),
      '-nic',
      `user,mac=${MAC}`,
    ]);
    start(['-name', `beside-${key}`, ...qmp(socketOf(`${key}-real`)), ...tap('dm2')]);
    const vms = new WatchedVms();
    try {
      await vms.vm(`beside-${key}`, filterable(1));
      await poll('it to be asked and left', () => fake.said.includes('left'));
      await poll('nothing of it to stay', () => clientsAt(path) === 0);
      // The one that lies has a name that is no name.
      const found = vms.vms.list().filter(({ reported }) => /^(fake-|vm--)/.test(reported.name));
      expect(found).toHaveLength(1);
      for (const { reported, cards } of found) {
        expect(virtualMachineSchema.parse(reported)).toEqual(reported);
        expect(cards.filter(({ unsupported }) => unsupported === null)).toEqual([]);
      }
      expect(vms.named(`beside-${key}`)).toHaveLength(1);
    } finally {
      vms.close();
    }
  }, 30_000);
}

test("a socket that is not the process's own is not spoken to", async () => {
  const victim = socketOf('victim');
  start(['-name', 'victim', '-uuid', '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11', ...qmp(victim), ...tap('dm3')]);
  await poll('the monitor of the victim', () => clientsAt(victim) === 0 && listens(victim));
  // One names it, one puts a link to it in the place of its own.
  const own = socketOf('own');
  const claims = await startFake('silent', socketOf('elsewhere'), ['-name', 'claims', ...qmp(victim)]);
  const links = await startFake('silent', own, ['-name', 'links', ...qmp(own)]);
  renameSync(own, `${own}.real`);
  symlinkSync(victim, own);
  const owner = await MonitorUser.connect(victim);
  await watching(async (vms) => {
    const vm = await vms.vm('victim', filterable(1));
    expect(vm.reported.uuid).toBe('6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11');
    for (const name of ['claims', 'links']) {
      expect((await vms.vm(name)).reported).not.toHaveProperty('uuid');
    }
    await poll('ten looks', () => {
      expect(clientsAt(victim)).toBe(1);
      return (vms.asked.get(links.process.pid ?? 0) ?? 0) > 10;
    });
  });
  owner.close();
  expect([...claims.said, ...links.said]).toEqual(['listening', 'listening']);
});

test('a VM that another one answers for is not taken for that', async () => {
  const [theirs, own] = [join(lab.scratch, 'theirs'), join(lab.scratch, 'own')];
  mkdirSync(theirs);
  mkdirSync(own);
  const victim = start([
    '-name',
    'other',
    '-uuid',
    '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11',
    ...qmp(`${theirs}/m`),
    ...tap('dm4'),
  ]);
  const path = `${own}/m`;
  const detour = await startFake('silent', path, ['-name', 'detour', ...qmp(path)]);
  renameSync(own, `${own}.real`);
  symlinkSync(theirs, own);
  await watching(async (vms) => {
    await vms.vm('other', filterable(1));
    await poll('ten looks', () => {
      expect(vms.named('detour').flatMap(({ reported }) => reported.uuid ?? [])).toEqual([]);
      const [vm] = vms.named('other');
      expect([undefined, victim.pid]).toContain(vm?.cards[0]?.pid);
      return (vms.asked.get(detour.process.pid ?? 0) ?? 0) > 10 && vms.named('detour').length === 1;
    });
  });
});

function listens(path: string): boolean {
  return readFileSync('/proc/thread-self/net/unix', 'utf8').includes(` ${path}`);
}
