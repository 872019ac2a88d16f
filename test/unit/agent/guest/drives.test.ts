import { describe, expect, test } from '@jest/globals';
import { askDrives, wayInto } from '../../../../src/agent/guest/drives.ts';
import type { Drive } from '../../../../src/agent/guest/drives.ts';
import { QmpError } from '../../../../src/agent/discovery/qmp/client.ts';

const PATH = '/run/vmnetwork/seeds/card-0123456789.iso';
const EMPTY: Drive = { id: 'cd0', isCdRom: true, isLocked: false, file: null };
const TENANTS: Drive = { ...EMPTY, id: 'cd1', file: '/home/tenant.iso' };
const DISK: Drive = { id: 'disk0', isCdRom: false, isLocked: false, file: '/var/disk.qcow2' };

describe('the way of an image into a VM', () => {
  test.each<[what: string, drives: Drive[], way: object]>([
    ['the first CD-ROM drive that is empty', [DISK, TENANTS, EMPTY], { way: 'medium', drive: 'cd0' }],
    ['a disk, where each drive has something of others in it', [DISK, TENANTS], { way: 'disk' }],
    ['a disk, where a medium has no name', [{ ...EMPTY, file: '' }], { way: 'disk' }],
    [
      'a disk, where only a drive that is no CD-ROM is empty',
      [{ ...EMPTY, isCdRom: false }],
      { way: 'disk' },
    ],
    [
      'the drive that has it already, as it was before',
      [EMPTY, { ...TENANTS, file: PATH }],
      { way: 'medium', drive: 'cd1' },
    ],
    [
      'none, where the guest has it mounted',
      [EMPTY, { ...TENANTS, file: PATH, isLocked: true }],
      { way: 'none' },
    ],
    ['none, where it is a disk', [EMPTY, { ...DISK, file: PATH }], { way: 'none' }],
  ])('is %s', (_what, drives, way) => {
    expect(wayInto(drives, PATH)).toMatchObject(way);
  });
});

describe('what a VM says of its drives', () => {
  const ask = (blocks: unknown) => {
    const execute = (command: string, { path = '' }: { path?: string } = {}): Promise<unknown> => {
      if (command === 'query-block') return Promise.resolve(blocks);
      return path === 'gone' ? Promise.reject(new QmpError('no', true)) : Promise.resolve(`${path}-cd`);
    };
    return askDrives({ execute });
  };

  test('a drive is a CD-ROM by what it is, and one that cannot be asked for is none', async () => {
    const drive = { removable: true, locked: false };
    const blocks = ['ide', 'scsi', 'floppy', 'gone'].map((qdev) => ({ ...drive, qdev }));
    const drives = await ask([...blocks, drive, { ...drive, qdev: 'ide', inserted: {} }]);
    expect(drives.map(({ isCdRom, file }) => [isCdRom, file])).toEqual([
      ...[
        [true, null],
        [true, null],
        [false, null],
        [false, null],
      ],
      [true, ''],
    ]);
  });

  test('an answer of another shape is an error, not a VM without drives', async () => {
    await expect(ask({ drives: [] })).rejects.toThrow(QmpError);
  });
});
