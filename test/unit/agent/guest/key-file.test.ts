import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadGuestKey, wipeGuestKey } from '../../../../src/agent/guest/key-file.ts';
import { isVmnError } from '../../../../src/lib/errors.ts';
import { generateTunnelKeyPair, publicKeyOf } from '../../../../src/wireguard/key-pair.ts';

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vmnet-guest-key-'));
  path = join(dir, 'state', 'guest-keys', 'vmn-0123456789.json');
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

const modeOf = (one: string): number => lstatSync(one).mode & 0o7777;

/** The error that reading gives, in all its words. */
function faultOf(): string {
  try {
    loadGuestKey(path);
    return 'none';
  } catch (error) {
    if (!isVmnError(error, 'VMN_STATE_UNREADABLE')) throw error;
    return [error.message, error.remedy, String(error.cause), error.stack].join('\n');
  }
}

describe('the key of a VM', () => {
  test('is made once, by root for root, and is the same from then on', () => {
    const umask = process.umask(0o777);
    const made = (() => {
      try {
        return loadGuestKey(path);
      } finally {
        process.umask(umask);
      }
    })();
    expect(publicKeyOf(Buffer.from(made.privateKey, 'base64'))).toBe(made.publicKey);
    expect([modeOf(path), modeOf(dirname(path)) & 0o077]).toEqual([0o600, 0]);
    expect(readdirSync(dirname(path))).toEqual(['vmn-0123456789.json']);
    expect(loadGuestKey(path)).toEqual(made);
  });

  test('that was being made when its maker was killed is made anew', () => {
    loadGuestKey(path);
    rmSync(path);
    writeFileSync(`${path}.new`, 'half', { mode: 0o600 });
    loadGuestKey(path);
    expect(readdirSync(dirname(path))).toEqual(['vmn-0123456789.json']);
  });

  test('is not written through a link that somebody put in its place', () => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const elsewhere = join(dir, 'elsewhere');
    symlinkSync(elsewhere, `${path}.new`);
    loadGuestKey(path);
    expect(existsSync(elsewhere)).toBe(false);
    expect(lstatSync(path).isFile()).toBe(true);
  });
});

describe('a file that is not as it was written is an error, which names it and what to do, and is left as it is', () => {
  const damage: Record<string, (text: string) => void> = {
    'readable by others': () => {
      chmodSync(path, 0o644);
    },
    'another mode': () => {
      chmodSync(path, 0o700);
    },
    empty: () => {
      writeFileSync(path, '');
    },
    'cut off': (text) => {
      writeFileSync(path, text.slice(0, 100));
    },
    'too long': (text) => {
      writeFileSync(path, text + ' '.repeat(600));
    },
    'half of another pair': (text) => {
      const { publicKey } = loadGuestKey(path);
      writeFileSync(path, text.replace(publicKey, generateTunnelKeyPair().publicKey));
    },
    'of another version': (text) => {
      writeFileSync(path, text.replace('"version":1', '"version":2'));
    },
    'a link': () => {
      linkSync(path, join(dir, 'real'));
      rmSync(path);
      symlinkSync(join(dir, 'real'), path);
    },
    'a pipe': () => {
      rmSync(path);
      execFileSync('mkfifo', ['-m', '600', path]);
    },
    'a folder': () => {
      rmSync(path);
      mkdirSync(path, { mode: 0o700 });
    },
    'in a folder that others may write': () => {
      chmodSync(dirname(path), 0o777);
    },
  };
  const snapshot = (): string => execFileSync('find', [dir, '-ls'], { encoding: 'utf8' });

  test.each(Object.keys(damage))('%s', (how) => {
    const { privateKey } = loadGuestKey(path);
    damage[how]?.(readFileSync(path, 'utf8'));
    const before = snapshot();
    const fault = faultOf();
    expect(fault).toContain(path);
    expect(fault).toContain('the next start of the VM makes another key');
    expect(fault).not.toContain(privateKey.slice(0, 20));
    expect(snapshot()).toBe(before);
  });
});

describe('wiping', () => {
  test('overwrites the key before it is removed, and takes the folder with the last', () => {
    const { privateKey } = loadGuestKey(path);
    linkSync(path, join(dir, 'same inode'));
    const { length } = readFileSync(path);
    wipeGuestKey(path);
    const left = readFileSync(join(dir, 'same inode'));
    expect(left).toEqual(Buffer.alloc(length));
    expect(left.includes(privateKey)).toBe(false);
    expect(existsSync(dirname(path))).toBe(false);
  });

  test('of nothing succeeds, and leaves the keys of others', () => {
    wipeGuestKey(path);
    const other = join(dirname(path), 'vmn-9876543210.json');
    const key = loadGuestKey(other);
    wipeGuestKey(path);
    expect(loadGuestKey(other)).toEqual(key);
  });

  test('removes a link, and not what it leads to', () => {
    loadGuestKey(join(dirname(path), 'vmn-9876543210.json'));
    const elsewhere = join(dir, 'elsewhere');
    writeFileSync(elsewhere, 'of somebody else');
    symlinkSync(elsewhere, path);
    wipeGuestKey(path);
    expect(readFileSync(elsewhere, 'utf8')).toBe('of somebody else');
    expect(existsSync(path)).toBe(false);
  });
});
