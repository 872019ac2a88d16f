import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { parseNetworkFile } from '../../../src/cli/manifest/network-file.ts';
import { type SeedChoice, seedWish } from '../../../src/cli/run/seed-wish.ts';
import { manifest } from './manifest-text.ts';
import { scratch } from './scratch.ts';

const files = scratch();
const PEER = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';
const TUNNEL = `  wireGuard: {peerPublicKey: ${PEER}, addresses: [10.99.0.2/32]}\n`;
const WITH_SECRET = `  wireGuard: {peerPublicKey: ${PEER}, addresses: [10.99.0.2/32], presharedKeySecretRef: {name: psk, key: psk}}\n`;

function wish(more: string, choice: Partial<SeedChoice> = {}) {
  const [network] = parseNetworkFile(manifest({ more }), 'rental.yaml').networks;
  if (network === undefined) throw new Error('no network');
  return seedWish(network, { seed: true, ...choice });
}

describe('what the guest is to be told', () => {
  test('is its network and the firewall, without a key of the consumer', () => {
    const none = { hasTunnel: false, presharedKey: null, userData: new Uint8Array() };
    expect(wish('')).toMatchObject({ delivery: 'VendorData', ...none });
  });

  test('is the tunnel, with the keys and the user-data that are given', () => {
    const presharedKey = randomBytes(32).toString('base64');
    const choice = {
      presharedKeyFile: files.write('psk', `${presharedKey}\n`),
      userData: files.write('user-data', '#cloud-config\n{}\n'),
    };
    const userData = Buffer.from('#cloud-config\n{}\n');
    expect(wish(TUNNEL, choice)).toMatchObject({ hasTunnel: true, presharedKey, userData });
    expect(wish(WITH_SECRET, choice)).toMatchObject({ hasTunnel: true, presharedKey });
    expect(wish(TUNNEL)).toMatchObject({ hasTunnel: true, presharedKey: null });
  });

  test('is nothing, if the network or the command line says so', () => {
    expect(wish('  cloudInit: {delivery: None}\n')).toBeNull();
    expect(wish(WITH_SECRET, { seed: false })).toBeNull();
  });
});

describe('refused', () => {
  test('a pre-shared key that is in a Secret and not given: the tunnel would never come up', () => {
    expect(() => wish(WITH_SECRET)).toThrow('has a pre-shared key in a Secret, which is not read here');
  });

  test.each([
    ['--user-data', { userData: '/nonexistent' }],
    ['--preshared-key-file', { presharedKeyFile: '/nonexistent' }],
  ])('%s without a seed', (option, choice) => {
    expect(() => wish(TUNNEL, { ...choice, seed: false })).toThrow(`${option} is for the seed image`);
    expect(() => wish('  cloudInit: {delivery: None}\n', choice)).toThrow(`${option} is for the seed image`);
  });

  test('a pre-shared key for no tunnel', () => {
    expect(() => wish('', { presharedKeyFile: '/nonexistent' })).toThrow('has no peerPublicKey');
  });

  test('a file that holds no key, of which nothing is quoted', () => {
    const presharedKeyFile = files.write('bad', 'not a key but secret');
    const error = (() => {
      try {
        wish(TUNNEL, { presharedKeyFile });
        return '';
      } catch (cause) {
        return String(cause);
      }
    })();
    expect(error).toContain('is not 32 bytes in base64');
    expect(error).not.toContain('secret');
    expect(() => wish(TUNNEL, { presharedKeyFile: '/nonexistent' })).toThrow('no such file');
  });
});
