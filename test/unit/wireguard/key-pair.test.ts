import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { wireGuardKeySchema } from '../../../src/api/v1alpha1/wireguard-key.ts';
import { generateTunnelKeyPair, publicKeyOf } from '../../../src/wireguard/key-pair.ts';
import { executable, optional } from '../../support/requirement.ts';
import { requires } from '../../support/skip.ts';

// RFC 7748, section 6.1.
test.each([
  [
    'Alice',
    '77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a',
    '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a',
  ],
  [
    'Bob',
    '5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb',
    'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f',
  ],
])('the public key of %s', (_name, privateKey, publicKey) => {
  expect(publicKeyOf(Buffer.from(privateKey, 'hex'))).toBe(Buffer.from(publicKey, 'hex').toString('base64'));
});

test('a new pair belongs together, has one spelling, and is another each time', () => {
  const pairs = Array.from({ length: 50 }, generateTunnelKeyPair);
  for (const { privateKey, publicKey } of pairs) {
    expect(publicKeyOf(privateKey)).toBe(publicKey);
    expect(privateKey).toHaveLength(32);
    const [first = 0, last = 0] = [privateKey[0], privateKey[31]];
    expect([first & 7, last & 0xc0]).toEqual([0, 0x40]);
    for (const text of [publicKey, privateKey.toString('base64')])
      expect(wireGuardKeySchema.safeParse(text).success).toBe(true);
  }
  expect(new Set(pairs.map(({ publicKey }) => publicKey)).size).toBe(50);
});

test.each([0, 31, 33, 64])('%d bytes are no key, and are not quoted', (length) => {
  const bytes = Buffer.alloc(length, 'secret');
  expect(() => publicKeyOf(bytes)).toThrow(new TypeError('a private key has 32 bytes'));
});

const wg = requires(optional(executable('wg')));

wg.test('wg makes the same public key, of our keys and of its own', () => {
  const pubkey = (input: string): string =>
    execFileSync('wg', ['pubkey'], { input, encoding: 'utf8' }).trim();
  const { privateKey, publicKey } = generateTunnelKeyPair();
  expect(pubkey(privateKey.toString('base64'))).toBe(publicKey);
  const others = execFileSync('wg', ['genkey'], { encoding: 'utf8' }).trim();
  expect(publicKeyOf(Buffer.from(others, 'base64'))).toBe(pubkey(others));
});
