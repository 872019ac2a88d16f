import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import { startOf } from '../../src/agent/discovery/proc.ts';
import type { TapHolder } from '../../src/agent/host/kernel.ts';
import { CableFile } from '../../src/agent/vm-control/cable-file.ts';
import { Cables, type CableWish } from '../../src/agent/vm-control/cables.ts';
import { endVm, type HowEnded } from '../../src/agent/vm-control/end-vm.ts';
import { systemControl } from '../../src/agent/vm-control/system-control.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/log.ts';
import { systemKernel } from '../../src/agent/host/system-kernel.ts';
import { MonitorUser, Qemu, type QemuOptions } from '../support/discovery/qemu.ts';
import { Lab, type Namespace, poll } from '../support/lab/index.ts';
import { executable, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { moveInto } from '../support/stage/own-namespace.ts';

/** Real QEMUs are ended, and their cables pulled; what they make of it is asked of themselves. */
const { test } = requires(root, executable('qemu-system-x86_64'));

const MAC = '52:54:00:cc:00:01';

let lab: Lab;
let host: Namespace;
let leave: () => void;
const running: Qemu[] = [];
const machine = systemControl(systemClock);
beforeAll(async () => {
  lab = await Lab.create('vmctl');
  host = await lab.namespace('host');
  leave = moveInto(host);
}, 30_000);
afterEach(async () => {
  for (const qemu of running.splice(0)) if (!qemu.ended) await qemu.kill();
});
afterAll(async () => {
  leave?.();
  await lab?.close();
}, 30_000);

const socketOf = (name: string): string => join(lab.scratch, `${name}.sock`);
const qmp = (path: string): string[] => ['-qmp', `unix:${path},server=on,wait=off`];
const tap = (name: string): string[] => [
  ...['-netdev', `tap,id=n,ifname=${name},script=no,downscript=no`],
  ...['-device', `virtio-net-pci,netdev=n,mac=${MAC},vectors=0,disable-modern=on,romfile=`],
];

/** One that holds its tap, and listens if it is to. */
async function start(
  name: string,
  words: readonly string[],
  listens: readonly string[] = [],
  options: QemuOptions = {},
): Promise<Qemu> {
  const qemu = new Qemu(host, [...words, ...tap(name)], options);
  running.push(qemu);
  await poll('its tap', () => holders(name).length === 1, { detail: () => qemu.said });
  await poll('it to heed SIGTERM', () => heedsSigterm(qemu.pid));
  for (const path of listens)
    await poll('its monitor', () => readFileSync('/proc/thread-self/net/unix', 'utf8').includes(` ${path}`));
  return qemu;
}

/** It takes its tap some time before it has its handlers. */
function heedsSigterm(pid: number): boolean {
  const [, caught = '0'] =
    /^SigCgt:\t([0-9a-f]+)$/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8')) ?? [];
  return (BigInt(`0x${caught}`) & (1n << BigInt(constants.signals.SIGTERM - 1))) !== 0n;
}

const holders = (name: string): TapHolder[] => systemKernel().tapHolders(name);
const end = (process: TapHolder): Promise<HowEnded> =>
  endVm(process, machine, systemClock, new AbortController().signal);

function holderOf(name: string, qemu: Qemu): TapHolder {
  const [holder] = holders(name);
  expect(holder?.pid).toBe(qemu.pid);
  return holder ?? { pid: 0, startTicks: '' };
}

async function exitOf(qemu: Qemu): Promise<unknown> {
  await poll('its exit', () => qemu.ended);
  return qemu.process.exitCode ?? qemu.process.signalCode;
}

test('[FS-4] a VM whose monitor may be used is told to quit, and does; nobody holds its tap', async () => {
  const path = socketOf('quits');
  const beside = await start('vc1', []);
  const qemu = await start('vc0', qmp(path), [path]);
  expect(await end(holderOf('vc0', qemu))).toBe('quit');
  expect(await exitOf(qemu)).toBe(0);
  expect([holders('vc0'), beside.ended]).toEqual([[], false]);
}, 20_000);

test('[FS-4] a monitor that somebody holds is not disturbed: the VM ends by a signal', async () => {
  const path = socketOf('held');
  const qemu = await start('vc0', qmp(path), [path]);
  const user = await MonitorUser.connect(path);
  const clients = (): number =>
    readFileSync('/proc/thread-self/net/unix', 'utf8')
      .split('\n')
      .filter((line) => line.endsWith(` ${path}`) && !/^\S+ \S+ \S+ 00010000 /.test(line)).length;
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, clients())), 5);
  try {
    expect(await end(holderOf('vc0', qemu))).toBe('SIGTERM');
  } finally {
    clearInterval(watch);
  }
  expect([await exitOf(qemu), most]).toEqual([0, 1]);
  user.close();
}, 20_000);

test('[FS-4] without a monitor, and with none but that of libvirt, it ends by a signal', async () => {
  const bare = await start('vc0', []);
  expect(await end(holderOf('vc0', bare))).toBe('SIGTERM');
  expect(await exitOf(bare)).toBe(0);
  const path = socketOf('monitor');
  const libvirts = await start(
    'vc1',
    [
      '-chardev',
      `socket,id=charmonitor,path=${path},server=on,wait=off`,
      '-mon',
      'chardev=charmonitor,mode=control',
    ],
    [path],
  );
  expect(await end(holderOf('vc1', libvirts))).toBe('SIGTERM');
  expect(await exitOf(libvirts)).toBe(0);
}, 20_000);

test('[FS-4] one that does not answer and does not heed signals is killed', async () => {
  const path = socketOf('stopped');
  const qemu = await start('vc0', qmp(path), [path]);
  qemu.process.kill('SIGSTOP');
  expect(await end(holderOf('vc0', qemu))).toBe('SIGKILL');
  expect(await exitOf(qemu)).toBe('SIGKILL');
  expect(holders('vc0')).toEqual([]);
}, 30_000);

test('a pid that is another process by now ends nobody', async () => {
  const qemu = await start('vc0', []);
  const now = holderOf('vc0', qemu);
  expect(await end({ ...now, startTicks: String(Number(now.startTicks) - 1) })).toBe('gone');
  expect([qemu.ended, startOf(qemu.pid)]).toEqual([false, now.startTicks]);
  // One that ended and was not waited for is as good as gone.
  qemu.process.kill('SIGKILL');
  await poll('its exit', () => qemu.ended);
  expect(await end(now)).toBe('gone');
}, 20_000);

/** What the card tells its guest: legacy virtio, status behind the MAC address in the device's part of its ports. */
async function linkStatus(user: MonitorUser): Promise<'up' | 'down'> {
  const ask = (line: string): Promise<unknown> => user.ask('human-monitor-command', { 'command-line': line });
  const base = await poll('the BIOS to give the card its ports', async () => {
    const [, card = ''] = String(await ask('info pci')).split('PCI device 1af4:1000');
    const [, at] = /BAR0: I\/O at 0x([0-9a-f]+) /.exec(card) ?? [];
    return at === undefined || at === 'ffffffffffffffff' ? null : parseInt(at, 16);
  });
  const answer = String(await ask(`i /1hx ${String(base + 20 + 6)}`));
  const status = parseInt(/= 0x([0-9a-f]+)/.exec(answer)?.[1] ?? '', 16);
  expect([0, 1]).toContain(status & 1);
  return (status & 1) === 1 ? 'up' : 'down';
}

test('[FS-4] the cable of a quarantined VM is pulled, as its guest sees, and plugged in when that ends', async () => {
  const [ours, theirs] = [socketOf('cable'), socketOf('test')];
  const qemu = await start('vc0', [...qmp(theirs), ...qmp(ours)], [ours, theirs]);
  const user = await MonitorUser.connect(theirs);
  await user.ask('cont');
  expect(await linkStatus(user)).toBe('up');
  const path = join(lab.scratch, 'pulled-cables.json');
  let changes = 0;
  const open = (): Cables =>
    new Cables({
      machine,
      store: new CableFile(path),
      clock: systemClock,
      log: createLogger({ level: 'silent' }),
      onChange: () => (changes += 1),
    });
  const wish: CableWish = { key: 'vc0', mac: MAC, want: 'out', holders: () => holders('vc0') };
  let cables = open();
  cables.keep([wish]);
  await poll('to be told', () => changes === 1);
  expect(cables.stateOf('vc0')).toBe('its cable is pulled');
  expect(await linkStatus(user)).toBe('down');
  // Deny-all is what holds: the host's end stays up.
  expect(systemKernel().linkByName('vc0')).toMatchObject({ carrier: true });
  // The next agent knows of it.
  await cables.close();
  cables = open();
  cables.keep([]);
  await poll('the cable', async () => (await linkStatus(user)) === 'up');
  await cables.close();
  expect(new CableFile(path).read()).toEqual([]);
  expect(qemu.ended).toBe(false);
  user.close();
}, 30_000);
