import { describe, expect, test } from '@jest/globals';
import { readCommandLine } from '../../../../src/agent/discovery/argv/command-line.ts';
import { parseOptions } from '../../../../src/agent/discovery/argv/options.ts';
import { recordedWords } from '../../../support/discovery/recorded.ts';

const qemu = (...words: string[]) => readCommandLine(['qemu-system-x86_64', ...words]);
/** `device mac backend kind` of each card. */
const network = (...words: string[]): string[] => {
  const { cards, backends } = qemu(...words).facts;
  return cards.map(({ device, mac, backends: ids }) => {
    const kinds = ids.map((id) => backends.find((backend) => backend.id === id)?.kind ?? '?');
    return [device, mac, ...kinds].join(' ');
  });
};

describe('option syntax', () => {
  test.each([
    ['a=1,b=2', { a: '1', b: '2' }],
    ['tap,id=n', { type: 'tap', id: 'n' }],
    ['user', { type: 'user' }],
    ['id=a,,b,,,c', { id: 'a,b,', c: 'on' }],
    ['unix,server,nowait', { type: 'unix', server: 'on', wait: 'off' }],
    ['a=1,a=2', { a: '2' }],
    ['x=a=b,y=', { x: 'a=b', y: '' }],
    ['', {}],
    [',', { type: '' }],
    [',,', { type: ',' }],
    [
      '{"type":"tap","fd":"30","vhost":true,"queues":2,"x":{"y":1}}',
      { type: 'tap', fd: '30', vhost: 'on', queues: '2' },
    ],
    ['{"type":', {}],
    ['{}', {}],
  ])('%s', (text, expected) => {
    expect(Object.fromEntries(parseOptions(text, 'type'))).toEqual(expected);
  });
});

describe('a command line', () => {
  test('of a domain that libvirt started: name, uuid, cards and their descriptors; its monitor is left alone', () => {
    const line = readCommandLine(recordedWords('libvirt-command-line.txt'));
    expect(line.facts).toEqual({
      name: 'lv test',
      uuid: '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c12',
      cards: [
        { device: 'virtio-net-pci', mac: '52:54:00:bb:00:01', backends: ['hostnet0'] },
        { device: 'virtio-net-pci', mac: '52:54:00:bb:00:02', backends: ['hostnet1'] },
        { device: 'e1000', mac: '52:54:00:bb:00:03', backends: ['hostnet2'] },
      ],
      backends: [
        { id: 'hostnet0', kind: 'tap', interface: null, fds: [30] },
        { id: 'hostnet1', kind: 'tap', interface: null, fds: [31] },
        { id: 'hostnet2', kind: 'user', interface: null, fds: [] },
      ],
    });
    expect(line).toMatchObject({ byLibvirt: true, qmpSockets: [], incoming: false });
  });

  test('names: short and long form, commas, none', () => {
    expect(qemu('-name', 'plain').facts.name).toBe('plain');
    expect(qemu('-name', 'guest=a,,b,debug-threads=on').facts.name).toBe('a,b');
    expect(qemu('--name', 'dashes').facts.name).toBe('dashes');
    expect(qemu('-name', 'debug-threads=on').facts.name).toBeNull();
    expect(qemu('-nographic').facts.name).toBeNull();
    expect(qemu('-name', 'first', '-name', 'second', '-name', 'process=p').facts.name).toBe('second');
  });

  test('uuids: in any case, and not the one that stands for none', () => {
    expect(qemu('-uuid', '6A0CBD52-1A0D-4D35-9D4B-6C1F0A1F3C12').facts.uuid).toBe(
      '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c12',
    );
    expect(qemu('-uuid', '00000000-0000-0000-0000-000000000000').facts.uuid).toBeNull();
    expect(qemu('-uuid', 'x').facts.uuid).toBeNull();
  });

  test('what looks like an option but is the value of one is no option', () => {
    expect(qemu('-append', '-uuid', '-name', 'n', 'disk.img').facts).toMatchObject({ name: 'n', uuid: null });
    expect(qemu('-S', '-name', 'n').facts.name).toBe('n');
  });

  test('cards in every way to say them', () => {
    expect(network('-nic', 'none')).toEqual([]);
    expect(network('-nodefaults')).toEqual([]);
    expect(network('disk.img')).toEqual(['nic 52:54:00:12:34:56 user']);
    expect(network('-machine', 'none')).toEqual([]);
    expect(network('-M', 'none')).toEqual([]);
    expect(network('-nic', 'tap,ifname=t,mac=52:54:00:AA:00:01,model=e1000')).toEqual([
      'e1000 52:54:00:aa:00:01 tap',
    ]);
    expect(network('-net', 'nic,macaddr=52-54-00-aa-00-01', '-net', 'tap,ifname=t')).toEqual([
      'nic 52:54:00:aa:00:01 tap',
    ]);
    expect(network('-net', 'nic', '-net', 'user', '-net', 'tap')).toEqual(['nic 52:54:00:12:34:56 user tap']);
    expect(network('-netdev', 'vhost-user,id=v,chardev=c', '-device', 'virtio-net-pci,netdev=v')).toEqual([
      'virtio-net-pci 52:54:00:12:34:56 vhost-user',
    ]);
    expect(network('-device', 'virtio-net-pci')).toEqual([
      'nic 52:54:00:12:34:56 user',
      'virtio-net-pci 52:54:00:12:34:57',
    ]);
    expect(
      network('-nodefaults', '-device', 'virtio-blk-pci,drive=d', '-device', 'e1000,netdev=gone'),
    ).toEqual(['e1000 52:54:00:12:34:56 ?']);
  });

  test('addresses that nobody gave, in the order in which QEMU makes cards', () => {
    const words = [
      '-device',
      'e1000,netdev=a',
      '-net',
      'nic',
      '-nic',
      'user',
      '-device',
      'e1000,netdev=b,mac=52:54:00:12:34:58',
    ];
    expect(network(...words, '-device', 'e1000,netdev=c', '-netdev', 'user,id=a')).toEqual([
      'nic 52:54:00:12:34:56 user',
      'nic 52:54:00:12:34:57',
      'e1000 52:54:00:12:34:58 user',
      'e1000 52:54:00:12:34:58 ?',
      'e1000 52:54:00:12:34:59 ?',
    ]);
  });

  test('an address that was given is not given again', () => {
    const first = ['-nodefaults', '-device', 'e1000,netdev=a,mac=52:54:00:12:34:56'];
    expect(network(...first, '-device', 'e1000,netdev=b')).toEqual([
      'e1000 52:54:00:12:34:56 ?',
      'e1000 52:54:00:12:34:57 ?',
    ]);
  });

  test('descriptors that were handed over, one and several', () => {
    expect(qemu('-netdev', 'tap,id=a,fds=21:22:x', '-netdev', 'tap,id=b,fd=3').facts.backends).toEqual([
      { id: 'a', kind: 'tap', interface: null, fds: [21, 22] },
      { id: 'b', kind: 'tap', interface: null, fds: [3] },
    ]);
  });

  test('monitors: only unix sockets at which QEMU listens without waiting', () => {
    const sockets = (...words: string[]): readonly string[] => qemu(...words).qmpSockets;
    expect(sockets('-qmp', 'unix:/a,server=on,wait=off')).toEqual(['/a']);
    expect(sockets('-qmp-pretty', 'unix:/a,,b,server,nowait')).toEqual(['/a,b']);
    expect(sockets('-chardev', 'socket,id=q,path=/q,server=on,wait=off', '-mon', 'q,mode=control')).toEqual([
      '/q',
    ]);
    expect(
      sockets('-mon', 'chardev=q,mode=control', '-chardev', 'socket,id=q,path=/q,server=on,wait=off'),
    ).toEqual(['/q']);
    expect(sockets('-qmp', 'unix:/a,server=on')).toEqual([]);
    expect(sockets('-qmp', 'unix:/a,server=on,wait=on')).toEqual([]);
    expect(sockets('-qmp', 'unix:/a')).toEqual([]);
    expect(sockets('-qmp', 'tcp:127.0.0.1:4444,server=on,wait=off')).toEqual([]);
    expect(sockets('-qmp', 'stdio')).toEqual([]);
    expect(sockets('-monitor', 'unix:/hmp,server=on,wait=off')).toEqual([]);
    expect(sockets('-chardev', 'socket,id=q,path=/q,server=on,wait=off', '-mon', 'q,mode=readline')).toEqual(
      [],
    );
    expect(
      sockets('-chardev', 'socket,id=serial,path=/s,server=on,wait=off', '-serial', 'chardev:serial'),
    ).toEqual([]);
    // libvirt's, by either of its names.
    expect(
      sockets(
        '-chardev',
        'socket,id=charmonitor,path=/m,server=on,wait=off',
        '-mon',
        'charmonitor,mode=control',
      ),
    ).toEqual([]);
    expect(sockets('-qmp', 'unix:/var/lib/libvirt/qemu/domain-1/monitor.sock,server=on,wait=off')).toEqual(
      [],
    );
  });

  test('the end of a migration, and devices of the host', () => {
    expect(qemu('-incoming', 'defer').incoming).toBe(true);
    expect(
      qemu('-device', 'vfio-pci,host=0000:3b:00.0', '-device', 'vfio-pci,sysfsdev=/x').hostDevices,
    ).toEqual(['0000:3b:00.0']);
  });
});
