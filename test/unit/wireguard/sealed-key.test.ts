import { createPublicKey, diffieHellman, createPrivateKey, createDecipheriv, hkdfSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { readPresharedKey } from '../../../src/wireguard/preshared-key.ts';
import {
  CannotOpen,
  generateSealingKey,
  isSealingKey,
  openPresharedKey,
  sealPresharedKey,
} from '../../../src/wireguard/sealed-key.ts';

const KEY = Buffer.from(Array.from({ length: 32 }, (_, index) => index + 1));
const WHERE = { namespace: 'tenant-a', name: 'rental-7f3a-0123456789' };

function sealed() {
  const host = generateSealingKey();
  const text = sealPresharedKey(KEY, { ...WHERE, recipient: host.publicKey });
  return { host, text };
}

describe('a sealed pre-shared key', () => {
  test('opens on its host, and only what was sealed comes out', () => {
    const { host, text } = sealed();
    expect(openPresharedKey(text, host.privateKey, WHERE)).toEqual(KEY);
    expect(Buffer.from(text, 'base64').includes(KEY)).toBe(false);
  });

  test('is never the same twice', () => {
    const host = generateSealingKey();
    const texts = new Set(
      Array.from({ length: 8 }, () => sealPresharedKey(KEY, { ...WHERE, recipient: host.publicKey })),
    );
    expect(texts.size).toBe(8);
  });

  test('is what the description says, computed from the primitives alone', () => {
    const { host, text } = sealed();
    const bytes = Buffer.from(text, 'base64');
    const spki = Buffer.from('302a300506032b656e032100', 'hex');
    const pkcs8 = Buffer.from('302e020100300506032b656e04220420', 'hex');
    const shared = diffieHellman({
      privateKey: createPrivateKey({
        key: Buffer.concat([pkcs8, host.privateKey]),
        format: 'der',
        type: 'pkcs8',
      }),
      publicKey: createPublicKey({
        key: Buffer.concat([spki, bytes.subarray(1, 33)]),
        format: 'der',
        type: 'spki',
      }),
    });
    const info = 'vmnetwork.io/v1alpha1 sealed pre-shared key';
    const salt = Buffer.concat([bytes.subarray(1, 33), Buffer.from(host.publicKey, 'base64')]);
    const material = Buffer.from(hkdfSync('sha256', shared, salt, info, 44));
    const decipher = createDecipheriv('chacha20-poly1305', material.subarray(0, 32), material.subarray(32), {
      authTagLength: 16,
    });
    decipher.setAAD(Buffer.from(`${info}\ntenant-a/${WHERE.name}\n${host.publicKey}`), {
      plaintextLength: 32,
    });
    decipher.setAuthTag(bytes.subarray(65));
    expect(Buffer.concat([decipher.update(bytes.subarray(33, 65)), decipher.final()])).toEqual(KEY);
  });

  test('does not open with the key of another host', () => {
    const { text } = sealed();
    expect(() => openPresharedKey(text, generateSealingKey().privateKey, WHERE)).toThrow(CannotOpen);
  });

  test.each([
    ['name', { ...WHERE, name: 'rental-7f3a-9876543210' }],
    ['namespace', { ...WHERE, namespace: 'tenant-b' }],
  ])('does not open in an attachment of another %s', (_, elsewhere) => {
    const { host, text } = sealed();
    expect(() => openPresharedKey(text, host.privateKey, elsewhere)).toThrow(CannotOpen);
  });

  test('does not open when any one byte is altered, or some are missing or added', () => {
    const { host, text } = sealed();
    const bytes = Buffer.from(text, 'base64');
    const altered = Array.from(bytes, (_, index) => {
      const copy = Buffer.from(bytes);
      copy[index] = (copy[index] ?? 0) ^ 1;
      return copy.toString('base64');
    });
    const cut = [
      '',
      bytes.subarray(1).toString('base64'),
      bytes.subarray(0, -1).toString('base64'),
      Buffer.concat([bytes, Buffer.of(0)]).toString('base64'),
      `${text}\n`,
    ];
    for (const wrong of [...altered, ...cut]) {
      expect(() => openPresharedKey(wrong, host.privateKey, WHERE)).toThrow(CannotOpen);
    }
  });

  test('is not made for a key of small order, which would hide nothing', () => {
    for (const first of [0, 1]) {
      const recipient = Buffer.concat([Buffer.of(first), Buffer.alloc(31)]).toString('base64');
      expect(() => sealPresharedKey(KEY, { ...WHERE, recipient })).toThrow(TypeError);
    }
  });

  test('errors do not quote the key', () => {
    const { text } = sealed();
    try {
      openPresharedKey(text, generateSealingKey().privateKey, WHERE);
    } catch (error) {
      expect(String(error)).not.toContain(KEY.toString('base64'));
      expect(String(error)).not.toContain(text);
    }
    expect.assertions(2);
  });
});

test.each([
  ['a host writes', generateSealingKey().publicKey, true],
  ['too short', Buffer.alloc(31, 1).toString('base64'), false],
  ['too long', Buffer.alloc(33, 1).toString('base64'), false],
  ['with a newline', `${Buffer.alloc(32, 1).toString('base64')}\n`, false],
  ['in hex', Buffer.alloc(32, 1).toString('hex'), false],
  ['no text', undefined, false],
])('a sealing key: %s', (_, text, expected) => {
  expect(isSealingKey(text)).toBe(expected);
});

describe('the value of a Secret', () => {
  const entry = (text: string): string => Buffer.from(text).toString('base64');

  test.each([
    ['as `wg genpsk` prints it', KEY.toString('base64')],
    ['with the newline of a file', `${KEY.toString('base64')}\n`],
  ])('is a key %s', (_, text) => {
    expect(readPresharedKey(entry(text))).toEqual({ state: 'ok', key: KEY });
  });

  test.each([
    ['absent', undefined],
    ['empty', ''],
    ['no text', 7],
    ['of 31 bytes', entry(KEY.subarray(1).toString('base64'))],
    ['of 33 bytes', entry(Buffer.alloc(33, 1).toString('base64'))],
    ['32 raw bytes', KEY.toString('base64')],
    ['hexadecimal', entry(KEY.toString('hex'))],
    ['two lines', entry(`${KEY.toString('base64')}\n\n`)],
    ['a second spelling of 32 bytes', entry(`${'B'.repeat(42)}B=`)],
    ['zeros', entry(Buffer.alloc(32).toString('base64'))],
    ['a mebibyte', entry('A'.repeat(2 ** 20))],
  ])('that is %s is refused, without being quoted', (_, value) => {
    const read = readPresharedKey(value);
    expect(read.state).toBe('invalid');
    if (typeof value === 'string' && value.length > 8)
      expect(JSON.stringify(read)).not.toContain(value.slice(0, 8));
  });
});
