import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SealedKeys } from '../../../../src/agent/source/cluster/sealed-keys.ts';
import { loadSealingKey } from '../../../../src/agent/source/cluster/sealing-key.ts';
import { generateSealingKey, isSealingKey, sealPresharedKey } from '../../../../src/wireguard/sealed-key.ts';
import { attachment, wished } from '../support/cluster-objects.ts';

const OTHER = generateSealingKey().publicKey;

describe('the sealing key of a host', () => {
  let path: string;
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'vmn-sealing-'));
    path = join(dir, 'sealing-key');
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  test('is made once, for root alone, and is a pair', () => {
    const key = loadSealingKey(path);
    expect(isSealingKey(key.publicKey)).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(loadSealingKey(path)).toEqual(key);
  });

  test.each([
    ['half a file', (text: string) => text.slice(0, 20)],
    ['another public half', (text: string) => text.replace(/"publicKey":"[^"]*"/, `"publicKey":"${OTHER}"`)],
    ['another private half', (text: string) => text.replace(/"privateKey":"[^"]*"/, '"privateKey":"AAAA"')],
    ['a later version', (text: string) => text.replace('"version":1', '"version":2')],
  ])('%s is an error that quotes nothing, and stays', (_what, damage) => {
    loadSealingKey(path);
    const good = readFileSync(path, 'utf8');
    writeFileSync(path, damage(good));
    let thrown: unknown;
    try {
      loadSealingKey(path);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'VMN_STATE_UNREADABLE' });
    const { privateKey } = JSON.parse(good) as { privateKey: string };
    expect(String(thrown)).not.toContain(privateKey.slice(0, 12));
    expect(readFileSync(path, 'utf8')).toBe(damage(good));
  });
});

describe('a sealed pre-shared key', () => {
  const own = generateSealingKey();
  const sealedTo = (recipient: string, name = 'net-vm-a') =>
    wished(
      attachment({
        sealedPresharedKey: {
          recipient,
          secretUid: 'u',
          secretResourceVersion: '1',
          ciphertext: sealPresharedKey(Buffer.alloc(32, 9), { namespace: 't', name, recipient }),
        },
      }),
    );

  test('that opens, or is not there, is no fault', () => {
    const keys = new SealedKeys(own);
    expect(keys.faultOf(wished(attachment()))).toBeNull();
    expect(keys.faultOf(sealedTo(own.publicKey))).toBeNull();
  });

  test.each([
    ['of another attachment', () => sealedTo(own.publicKey, 'other'), own, /does not open/],
    ['to another key', () => sealedTo(generateSealingKey().publicKey), own, /sealed to another key/],
    ['while ours cannot be read', () => sealedTo(own.publicKey), null, /cannot be read/],
  ])('%s is one', (_what, make, key, fault) => {
    expect(new SealedKeys(key).faultOf(make())).toMatch(fault);
  });

  test('that is sealed anew is looked at anew', () => {
    const keys = new SealedKeys(own);
    expect(keys.faultOf(sealedTo(own.publicKey, 'other'))).not.toBeNull();
    expect(keys.faultOf(sealedTo(own.publicKey))).toBeNull();
    keys.keepOnly(new Set());
    expect(keys.faultOf(sealedTo(own.publicKey))).toBeNull();
  });
});
