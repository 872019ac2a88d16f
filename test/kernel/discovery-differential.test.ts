import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { readCommandLine } from '../../src/agent/discovery/argv/command-line.ts';
import type { VmFacts } from '../../src/agent/discovery/facts.ts';
import { commandLineOf } from '../../src/agent/discovery/proc.ts';
import { askVm } from '../../src/agent/discovery/qmp/ask.ts';
import { QmpClient } from '../../src/agent/discovery/qmp/client.ts';
import { Qemu } from '../support/discovery/qemu.ts';
import { Lab, type Namespace, poll } from '../support/lab/index.ts';
import { executable, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

/** What a command line says of a VM against what QEMU itself says when it was started so: nothing of ours is in between. */
const { test } = requires(root, executable('qemu-system-x86_64'));

let lab: Lab;
let host: Namespace;
beforeAll(async () => {
  lab = await Lab.create('discdiff');
  host = await lab.namespace('host');
}, 30_000);
afterAll(async () => {
  await lab?.close();
}, 30_000);

const UUID = '6A0CBD52-1A0D-4D35-9D4B-6C1F0A1F3C11';
const tap = (id: string, rest = ''): string[] => [
  '-netdev',
  `tap,id=${id},ifname=dd${id},script=no,downscript=no${rest}`,
];

/** Identity and, for each card, its address and the kinds and names of what is at its other end; in no order. */
function comparable({ name, uuid, cards, backends }: VmFacts): unknown {
  const ends = new Map(backends.map(({ id, kind, interface: at }) => [id, `${kind} ${at ?? ''}`]));
  return {
    name,
    uuid,
    cards: cards
      .map(({ mac, backends: ids }) => [mac, ...ids.map((id) => ends.get(id) ?? '?').sort()])
      .sort(),
  };
}

let last = 0;
for (const words of [
  [],
  ['-nodefaults'],
  ['-nic', 'none'],
  ['-name', 'guest=comma,,name,debug-threads=on', '-uuid', UUID],
  ['-name', 'plain', '-name', 'process=p'],
  ['-nic', 'user,model=rtl8139,mac=52:54:00:AB:00:01'],
  ['-nic', 'tap,ifname=ddnic,script=no,downscript=no,model=virtio-net-pci'],
  ['-net', 'nic,model=e1000', '-net', 'user'],
  ['-net', 'nic', '-net', 'tap,ifname=ddnet,script=no,downscript=no'],
  [
    '-net',
    'nic',
    '-net',
    'nic,macaddr=52-54-00-ab-00-02',
    '-net',
    'user',
    '-net',
    'socket,udp=127.0.0.1:1,localaddr=127.0.0.1:2',
  ],
  [...tap('a'), '-device', 'virtio-net-pci,netdev=a'],
  [
    ...tap('a'),
    ...tap('b'),
    '-device',
    'e1000,netdev=b,id=first',
    '-device',
    'virtio-net-pci,netdev=a,mac=52:54:00:12:34:57',
  ],
  [...tap('q', ',queues=2'), '-device', 'virtio-net-pci,netdev=q,mq=on,vectors=6'],
  [
    '-netdev',
    '{"type":"user","id":"j"}',
    '-device',
    '{"driver":"virtio-net-pci","netdev":"j","mac":"52:54:00:ab:00:03"}',
  ],
  ['-device', 'virtio-net-pci', '-nodefaults', '-device', 'e1000,mac=52:54:00:12:34:56'],
  [
    '-netdev',
    'user,id=u',
    '-device',
    'usb-ehci',
    '-device',
    'usb-net,netdev=u',
    '-nic',
    'user,model=e1000',
    '-net',
    'nic',
  ],
  ['-netdev', 'stream,id=s,server=on,addr.type=unix,addr.path=/nowhere/s', '-nodefaults'],
]) {
  test(`qemu ${words.join(' ')}`, async () => {
    const path = join(lab.scratch, `${String(last++)}.sock`);
    const qemu = new Qemu(host, ['-qmp', `unix:${path},server=on,wait=off`, ...words]);
    const connected = await poll('its monitor', async () =>
      qemu.ended
        ? { client: null }
        : await QmpClient.connect(path).then(
            (client) => ({ client }),
            () => null,
          ),
    );
    const { client } = connected;
    if (client === null) {
      // It does not take these words: there is nothing to compare, but it has to say so.
      expect(qemu.said).toMatch(/stream|usb-net|nowhere/);
      return;
    }
    const told = await askVm(client);
    client.close();
    const read = readCommandLine(commandLineOf(qemu.pid)).facts;
    expect(comparable(read)).toEqual(comparable(told));
    await qemu.kill();
  });
}
