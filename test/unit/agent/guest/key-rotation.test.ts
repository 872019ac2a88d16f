import { spawnSync } from 'node:child_process';
import { existsSync, linkSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadGuestKey, wipeGuestKey } from '../../../../src/agent/guest/key-file.ts';
import { keyOfStart, makeNextKey, readKeys, retireKey } from '../../../../src/agent/guest/key-rotation.ts';

const NAME = 'vmn-0123456789.json';
let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vmnet-key-rotation-'));
  path = join(dir, 'guest-keys', NAME);
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

/** Names in the folder of the keys. */
const names = (): string[] => readdirSync(dirname(path)).sort();
const everything = (): string =>
  names()
    .map((name) => readFileSync(join(dirname(path), name), 'latin1'))
    .join();

test('the next key lies beside the present one, which stays as it is; asked for twice it is the same', () => {
  const present = loadGuestKey(path);
  const keys = makeNextKey(path);
  expect(keys?.present).toEqual(present);
  expect(keys?.next.publicKey).not.toBe(present.publicKey);
  expect(lstatSync(`${path}.next`).mode & 0o7777).toBe(0o600);
  expect([makeNextKey(path), readKeys(path)]).toEqual([keys, keys]);
});

test('retired, the present key is overwritten and the next takes its place', () => {
  const { privateKey } = loadGuestKey(path);
  const next = makeNextKey(path)?.next;
  linkSync(path, join(dir, 'same inode'));
  const { length } = readFileSync(path);
  expect(retireKey(path)).toEqual(next);
  expect(readFileSync(join(dir, 'same inode'))).toEqual(Buffer.alloc(length));
  expect(readKeys(path)).toEqual({ present: next, next: null });
  expect(names()).toEqual([NAME]);
  expect(everything()).not.toContain(privateKey);
});

test('without a key there is nothing to follow or retire, and without a next one the present stays', () => {
  expect([readKeys(path), makeNextKey(path), retireKey(path)]).toEqual([null, null, null]);
  const present = loadGuestKey(path);
  expect(retireKey(path)).toEqual(present);
  expect(readKeys(path)).toEqual({ present, next: null });
});

test('a VM that starts has the next key if there is one, else the one that it had, else a new one', () => {
  const first = keyOfStart(path);
  expect([readKeys(path), keyOfStart(path)]).toEqual([{ present: first, next: null }, first]);
  const next = makeNextKey(path)?.next;
  expect([keyOfStart(path), keyOfStart(path)]).toEqual([next, next]);
});

test('with the record of the VM all of its keys are wiped', () => {
  loadGuestKey(path);
  makeNextKey(path);
  linkSync(`${path}.next`, join(dir, 'same inode'));
  const { length } = readFileSync(`${path}.next`);
  wipeGuestKey(path);
  expect(readFileSync(join(dir, 'same inode'))).toEqual(Buffer.alloc(length));
  expect(existsSync(dirname(path))).toBe(false);
});

describe('a kill before any call that changes a file', () => {
  /** Kills itself for good before the nth such call; exit code 0: there are fewer. */
  const CHILD = `
    import fs from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    const [what, path, nth] = process.argv.slice(1);
    const rotation = await import(process.cwd() + '/src/agent/guest/key-rotation.ts');
    let calls = 0;
    for (const name of ['linkSync', 'renameSync', 'rmSync', 'writeSync', 'writeFileSync', 'fsyncSync', 'fchmodSync', 'openSync']) {
      const real = fs[name];
      fs[name] = (...args) => {
        if (calls++ === Number(nth)) process.kill(process.pid, 'SIGKILL');
        return real(...args);
      };
    }
    syncBuiltinESMExports();
    rotation[what](path);`;
  /** Whether it was killed. */
  function killed(what: 'makeNextKey' | 'retireKey', nth: number): boolean {
    const words = ['--input-type=module', '-e', CHILD, what, path, String(nth)];
    const { status, signal, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
    if (signal !== 'SIGKILL')
      expect([status, stderr.replace(/^.*Warning.*$/gm, '').includes('Error')]).toEqual([0, false]);
    return signal === 'SIGKILL';
  }
  function anew(): void {
    rmSync(dirname(path), { recursive: true, force: true });
    loadGuestKey(path);
  }

  test('while the next key is made leaves the present one, and it can be made then', () => {
    let nth = 0;
    for (let wasKilled = true; wasKilled; nth++) {
      anew();
      const present = loadGuestKey(path);
      wasKilled = killed('makeNextKey', nth);
      expect(readKeys(path)?.present).toEqual(present);
      const keys = makeNextKey(path);
      expect(keys?.present).toEqual(present);
      expect(readKeys(path)).toEqual(keys);
      expect(names()).toEqual([NAME, `${NAME}.next`]);
    }
    expect(nth).toBeGreaterThan(5);
  }, 120_000);

  test('while the first and the next key are made leaves no second name by which a later one is overwritten', () => {
    loadGuestKey(path);
    linkSync(path, `${path}.new`);
    const next = makeNextKey(path)?.next;
    linkSync(`${path}.next`, `${path}.next.new`);
    expect(retireKey(path)).toEqual(next);
    expect(names()).toEqual([NAME]);
    expect(makeNextKey(path)?.present).toEqual(next);
    expect(loadGuestKey(path)).toEqual(next);
  });

  test('while the present key is retired leaves both, or the next one whole; and it can be finished', () => {
    const seen = new Set<string>();
    for (let nth = 0, wasKilled = true; wasKilled; nth++) {
      anew();
      const keys = makeNextKey(path);
      wasKilled = killed('retireKey', nth);
      const left = readKeys(path);
      const isBefore = left?.next !== null;
      expect(left).toEqual(isBefore ? keys : { present: keys?.next, next: null });
      if (wasKilled) seen.add(`${isBefore ? 'before' : 'after'} ${names().length}`);
      expect(retireKey(path)).toEqual(keys?.next);
      expect(names()).toEqual([NAME]);
      expect(everything()).not.toContain(keys?.present.privateKey);
    }
    // Both pairs; both and the second name; the new one and the old one, not wiped yet.
    expect([...seen].sort()).toEqual(['after 1', 'after 2', 'before 2', 'before 3']);
  }, 120_000);
});
