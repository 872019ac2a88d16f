import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { linkByName } from '../../src/native/rtnetlink.ts';
import { card, WatchedVms } from '../support/discovery/watched-vms.ts';
import { Lab, type Namespace, poll } from '../support/lab/index.ts';
import { executable, optional, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { moveInto } from '../support/stage/own-namespace.ts';

/** A real libvirtd with its QEMU driver, in namespaces of its own; domains as `virsh` makes them. */
const LIBVIRT = ['libvirtd', 'virsh'].map((name) => ({
  ...executable(name),
  reason: `needs ${name}: apt-get install libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients`,
}));
const needs = [root, executable('qemu-system-x86_64'), ...LIBVIRT.map(optional)];
const { test } = requires(...needs);
const met = needs.every((requirement) => requirement.met);

const SCRIPT = fileURLToPath(new URL('../support/discovery/libvirt.sh', import.meta.url));
const UUID = '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c33';
const [MAC_A, MAC_B, MAC_C, MAC_D] = [1, 2, 3, 4].map((last) => `52:54:00:bb:00:0${String(last)}`) as [
  string,
  string,
  string,
  string,
];

let lab: Lab;
let host: Namespace;
let leave: () => void;
let daemon: ChildProcess;
let vms: WatchedVms;
beforeAll(async () => {
  if (!met) return;
  lab = await Lab.create('disclv');
  host = await lab.namespace('host');
  leave = moveInto(host);
  await host.run(['ip', 'link', 'add', 'lvbr', 'type', 'bridge']);
  await host.run(['ip', 'link', 'set', 'lvbr', 'up']);
  daemon = host.spawn(['unshare', '--mount', '--propagation', 'private', 'bash', SCRIPT, lab.scratch], {
    stdio: 'ignore',
  });
  vms = new WatchedVms();
  await poll('libvirtd', async () => (await virsh('version')).includes('Running hypervisor'), {
    deadlineMs: 30_000,
    everyMs: 200,
    detail: log,
  });
}, 60_000);
afterAll(async () => {
  if (!met) return;
  vms?.close();
  await virsh('destroy', 'lv test');
  daemon?.kill();
  leave?.();
  await lab?.close();
}, 60_000);

function log(): string {
  const file = join(lab.scratch, 'libvirtd.log');
  return existsSync(file) ? readFileSync(file, 'utf8').slice(-4000) : 'no log';
}

/** What it printed, and what it complained about. */
async function virsh(...words: string[]): Promise<string> {
  const enter = [
    'nsenter',
    `--mount=/proc/${String(daemon.pid)}/ns/mnt`,
    'virsh',
    '-c',
    'qemu:///system',
    ...words,
  ];
  const { stdout, stderr } = await host.exec(enter);
  return stdout + stderr;
}

const interfaceXml = (type: string, mac: string, inner: string): string =>
  `<interface type='${type}'><mac address='${mac}'/>${inner}<model type='virtio'/></interface>`;

const domain = (interfaces: readonly string[]): string => `
  <domain type='qemu'><name>lv test</name><uuid>${UUID}</uuid><memory unit='MiB'>32</memory><vcpu>1</vcpu>
    <os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
    <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>${interfaces.join('')}</devices>
  </domain>`;

test('a domain is found with its cards: on an ethernet, a bridge and a user interface, plugged and unplugged', async () => {
  const file = join(lab.scratch, 'domain.xml');
  const source = "<source bridge='lvbr'/>";
  writeFileSync(
    file,
    domain([
      interfaceXml('ethernet', MAC_A, "<target dev='lvtap'/>"),
      interfaceXml('bridge', MAC_B, source),
      interfaceXml('user', MAC_C, ''),
    ]),
  );
  expect(await virsh('create', '--paused', file)).toContain('created');
  const isRight = (mac: string) => (vm: { cards: readonly { mac: string; unsupported: string | null }[] }) =>
    vm.cards.some((one) => one.mac === mac && one.unsupported === null);
  // Its name has a blank, and is no name of the API; the uuid is what it is known by.
  const nameOf = (): string =>
    vms.vms.list().find(({ reported }) => reported.uuid === UUID)?.reported.name ?? '';
  await poll('the domain', () => nameOf() !== '', { detail: log });
  const name = nameOf();
  const vm = await vms.vm(name, (found) => isRight(MAC_A)(found) && isRight(MAC_B)(found));
  expect(vm.reported).toMatchObject({ id: UUID, uuid: UUID, name: expect.stringMatching(/^lv_test--/) });
  expect(card(vm, MAC_A)?.link).toEqual({
    netns: null,
    ifindex: linkByName('lvtap')?.ifindex,
    name: 'lvtap',
  });
  const onBridge = card(vm, MAC_B)?.link?.name ?? '';
  // As libvirt tells it.
  expect(await virsh('domiflist', 'lv test')).toMatch(
    new RegExp(`${onBridge}\\s+bridge\\s+lvbr\\s+virtio\\s+${MAC_B}`),
  );
  expect(card(vm, MAC_B)?.link?.ifindex).toBe(linkByName(onBridge)?.ifindex);
  expect(card(vm, MAC_C)).toMatchObject({ link: null, unsupported: expect.stringContaining('slirp') });
  expect(vm.cards).toHaveLength(3);

  const late = join(lab.scratch, 'late.xml');
  writeFileSync(late, interfaceXml('bridge', MAC_D, source));
  expect(await virsh('attach-device', 'lv test', late, '--live')).toContain('attached');
  const plugged = await vms.vm(name, isRight(MAC_D));
  expect(plugged.cards).toHaveLength(4);

  // libvirt's own monitor was never touched: it is answered as before.
  expect(await virsh('qemu-monitor-command', 'lv test', '{"execute":"query-status"}')).toContain('"return"');
  expect(await virsh('destroy', 'lv test')).toContain('destroyed');
  await vms.gone(name);
}, 60_000);
