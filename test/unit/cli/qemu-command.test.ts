import { describe, expect, test } from '@jest/globals';
import { guestNameOf, qemuCommand } from '../../../src/cli/run/qemu-command.ts';

const values = {
  address: '100.64.0.5',
  gateway: '169.254.1.1',
  mac: '02:76:11:22:33:44',
  tap: 'vmn-0123456789',
  endpoint: '203.0.113.10:51900',
};
const CARD = [
  '-netdev',
  'tap,id=vmn0,ifname=vmn-0123456789,script=no,downscript=no,vhost=off',
  '-device',
  'virtio-net-pci,netdev=vmn0,mac=02:76:11:22:33:44',
];

describe('qemuCommand', () => {
  test('adds the name and the one card', () => {
    expect(qemuCommand(['qemu', '-m', '512'], 'rental', values)).toEqual([
      'qemu',
      '-m',
      '512',
      '-name',
      'guest=rental',
      ...CARD,
    ]);
  });

  test('adds the seed image as the last disk, read only, by whatever name its folder has', () => {
    expect(
      qemuCommand(['qemu', '-m', '512'], 'rental', values, '/run/a,b/vmn-0123456789.iso').slice(5),
    ).toEqual([...CARD, '-drive', 'if=virtio,format=raw,readonly=on,file=/run/a,,b/vmn-0123456789.iso']);
  });

  test.each([[['-name', 'guest=rental,debug-threads=on']], [['--name', 'rental']]])('keeps %j', (name) => {
    expect(qemuCommand(['qemu', ...name], 'rental', values)).toEqual(['qemu', ...name, ...CARD]);
  });

  test('fills in placeholders, several in one argument, none in the program', () => {
    const [program, append] = qemuCommand(
      ['/opt/{{tap}}/qemu', 'a={{address}} g={{gateway}} m={{mac}} t={{tap}} e={{endpoint}} {a} {{}'],
      'rental',
      values,
    );
    expect(program).toBe('/opt/{{tap}}/qemu');
    expect(append).toBe(
      'a=100.64.0.5 g=169.254.1.1 m=02:76:11:22:33:44 t=vmn-0123456789 e=203.0.113.10:51900 {a} {{}',
    );
  });

  test.each(['{{port}}', '{{ address }}', '{{}}', '{{constructor}}', '{{a\nb}}'])('refuses %j', (word) => {
    expect(() => qemuCommand(['qemu', word], 'rental', values)).toThrow('command line is not understood');
  });

  test('refuses {{endpoint}} without an endpoint', () => {
    expect(() => qemuCommand(['qemu', '{{endpoint}}'], 'rental', { ...values, endpoint: null })).toThrow(
      '{{endpoint}}',
    );
  });

  test.each(['-netdev', '-nic', '-net', '--nic', '-readconfig'])(
    'refuses %s, which would not be filtered',
    (option) => {
      expect(() => qemuCommand(['qemu', option, 'user'], 'rental', values)).toThrow(`${option} user`);
      expect(() => qemuCommand(['qemu', option], 'rental', values)).toThrow(option);
    },
  );

  test.each(['-netdev', '-readconfig'])('refuses %s none, where none is a name', (option) => {
    expect(() => qemuCommand(['qemu', option, 'none'], 'rental', values)).toThrow(`${option} none`);
  });

  test('-nic none is harmless', () => {
    expect(qemuCommand(['qemu', '-nic', 'none', '-name', 'rental'], 'rental', values)).toContain('none');
  });
});

test.each<[string[], string | null]>([
  [['qemu'], null],
  [['qemu', '-name'], null],
  [['qemu', '-name', 'a'], 'a'],
  [['qemu', '-name', 'a,process=b'], 'a'],
  [['qemu', '-name', 'process=b,guest=a'], 'a'],
  [['qemu', '-name', 'process=b'], null],
  [['qemu', '-name', 'guest=a,,b'], 'a,b'],
  [['qemu', '-name', 'a', '-name', 'guest=b'], 'b'],
  [['qemu', '-name', 'guest='], null],
])('guestNameOf(%j) is %j', (command, name) => {
  expect(guestNameOf(command)).toBe(name);
});
