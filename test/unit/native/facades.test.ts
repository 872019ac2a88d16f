import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { addon } from '../../../src/native/addon.ts';
import { ensureBpffs, listPins } from '../../../src/native/bpffs.ts';
import { attachFilter, readBack, writePolicy } from '../../../src/native/filter-engine.ts';
import { lockFile, netnsInode } from '../../../src/native/process.ts';
import { judge } from '../../../src/native/verdict.ts';

const scratch = mkdtempSync(join(tmpdir(), 'vmn-facades-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

describe('facades check before native code runs', () => {
  test.each(['', 'relative/dir', '/', '/one', '/sys/fs/bpf/vmnet/tap.next', '/sys/fs/bpf/vmnet/'])(
    '%j is no folder for pins',
    (dir) => {
      expect(() => readBack(dir)).toThrow(TypeError);
      expect(() => attachFilter(dir, 1)).toThrow(TypeError);
    },
  );

  test.each([0, 127, 129])('a policy of %i bytes is refused', (size) => {
    expect(() => writePolicy('/sys/fs/bpf/vmnet/tap', new Uint8Array(size))).toThrow(TypeError);
    expect(() => judge('from-vm', new Uint8Array(size), new Uint8Array(60))).toThrow(TypeError);
  });

  test('an unknown way of attaching is refused, by option or by VMNET_HOOK', () => {
    const attach = (hook?: string): unknown =>
      attachFilter('/sys/fs/bpf/vmnet/tap', 1, hook === undefined ? {} : { hook: hook as 'tcx' });
    expect(() => attach('xdp')).toThrow(TypeError);
    expect(() => attach('constructor')).toThrow(TypeError);
    process.env['VMNET_HOOK'] = 'xdp';
    try {
      expect(() => attach()).toThrow(TypeError);
    } finally {
      delete process.env['VMNET_HOOK'];
    }
  });

  test('the addon itself refuses what would be undefined in C', () => {
    const native = addon() as unknown as Record<string, (...args: unknown[]) => unknown>;
    expect(() => native['readBack']?.()).toThrow('expected a string');
    expect(() => native['readBack']?.('/sys\0/fs')).toThrow('without NUL');
    expect(() => native['attachFilter']?.('/sys/fs/bpf/a/b', -1)).toThrow('unsigned 32-bit');
    expect(() => native['attachFilter']?.('/sys/fs/bpf/a/b', 1.5)).toThrow('unsigned 32-bit');
    expect(() => native['attachFilter']?.('/sys/fs/bpf/a/b', 1, 3)).toThrow('a kind of hook');
    expect(() => native['testRun']?.('/sys/fs/bpf/a/b', true, new Uint8Array(60), 0, 0)).toThrow('a boolean');
    expect(() => native['writePolicy']?.('/sys/fs/bpf/a/b', new Uint8Array(5))).toThrow('of another length');
    expect(() => native['writePolicy']?.('/sys/fs/bpf/a/b', 'text')).toThrow('expected a Uint8Array');
    expect(() => native['routeTo']?.('010.0.0.1')).toThrow('expected an IPv4 address');
    expect(() => native['setNeighbour']?.(1, '192.0.2.1', '02:76:6d:6e:00')).toThrow(
      'expected a MAC address',
    );
    expect(() => native['openEvents']?.('/x', 1)).toThrow('expected a function');
  });
});

describe('the folder for pins', () => {
  test('with a dot in its path is refused: bpffs reserves such names', () => {
    expect(() => {
      ensureBpffs('/sys/fs/bpf/vmnet.d');
    }).toThrow(expect.objectContaining({ code: 'VMN_BPFFS_MISSING' }));
  });

  test('outside of a BPF file system is refused, and nothing is made there', () => {
    const root = join(scratch, 'pins');
    expect(() => {
      ensureBpffs(root);
    }).toThrow(
      expect.objectContaining({ code: 'VMN_BPFFS_MISSING', remedy: expect.stringContaining('mount -t bpf') }),
    );
    expect(listPins(root)).toEqual([]);
  });
});

describe('the lock', () => {
  const path = join(scratch, 'lock');

  test('is held by one at a time, and can be had again', () => {
    const lock = lockFile(path);
    expect(() => lockFile(path)).toThrow(expect.objectContaining({ code: 'VMN_AGENT_RUNNING' }));
    lock.release();
    lock.release();
    lockFile(path, { wait: true }).release();
  });

  test('in a folder that does not exist is an error with the path', () => {
    expect(() => lockFile(join(scratch, 'nowhere', 'lock'))).toThrow(
      expect.objectContaining({ code: 'VMN_STATE_UNREADABLE', on: join(scratch, 'nowhere', 'lock') }),
    );
  });
});

test('the network namespace has a number', () => {
  expect(netnsInode()).toBeGreaterThan(0);
});
