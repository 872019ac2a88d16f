import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { parseGuest, type Guest, type GuestInput } from '../../../src/cloudinit/documents/guest.ts';

export const MAC = '02:76:1f:00:a2:4c';
export const GUEST_ADDRESS = '100.64.0.5';
export const GATEWAY = '169.254.1.1';
export const ENDPOINT = { address: '203.0.113.10', port: 51900 };

/** As `wg genkey` and `wg pubkey` would print them; anew in each run, so none can be in a file by chance. */
export const newKey = (): string => randomBytes(32).toString('base64');

export const PRIVATE_KEY = newKey();
export const PRESHARED_KEY = newKey();
export const PEER_KEY = newKey();

export function guestInput(change: Partial<GuestInput> = {}): Required<GuestInput> {
  return {
    vmName: 'rental-7f3a',
    instance: '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11',
    card: { mac: MAC, address: GUEST_ADDRESS, gateway: GATEWAY, mtu: 1500 },
    endpoint: ENDPOINT,
    tunnel: {
      privateKey: PRIVATE_KEY,
      peerPublicKey: PEER_KEY,
      presharedKey: PRESHARED_KEY,
      addresses: ['10.99.0.2/32'],
      dns: ['10.99.0.1'],
    },
    ...change,
  };
}

export function exampleGuest(change: Partial<GuestInput> = {}): Guest {
  return parseGuest(guestInput(change));
}

const octet = fc.integer({ min: 1, max: 223 }).filter((value) => value !== 127 && value !== 169);
const address = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.'));
const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => {
  bytes[0] = 1; // not the key of zeros
  return Buffer.from(bytes).toString('base64');
});
// Digits only now and then: YAML 1.1 takes 12:30:45 for a number in base 60.
const pair = fc.oneof(fc.integer({ min: 10, max: 59 }).map(String), fc.stringMatching(/^[0-9a-f]{2}$/));
const mac = fc.tuple(fc.constantFrom('02', '12', '52', '0e'), pair, pair, pair, pair, pair);

/** Whatever a guest can be, with names and numbers that YAML might take for something else. */
export const anyGuest: fc.Arbitrary<GuestInput> = fc.record({
  vmName: fc.oneof(
    fc.constantFrom(
      'yes',
      'NO',
      'null',
      '0600',
      '1e3',
      '12:30:45',
      '0x1F',
      '2001-01-01',
      'a.b',
      '1.5',
      'A:B+c@d_e',
    ),
    fc.stringMatching(/^[A-Za-z0-9]([-A-Za-z0-9_.:+@]{0,60}[A-Za-z0-9])?$/),
  ),
  instance: fc.uuid(),
  card: fc.record({
    mac: mac.map((pairs) => pairs.join(':')),
    address,
    gateway: fc.constant(GATEWAY),
    mtu: fc.integer({ min: 1280, max: 9000 }),
  }),
  endpoint: fc.record({ address, port: fc.integer({ min: 1, max: 65535 }) }),
  tunnel: fc.record(
    {
      privateKey: key,
      peerPublicKey: key,
      presharedKey: key,
      addresses: fc.uniqueArray(
        address.map((text) => `${text}/32`),
        { maxLength: 3 },
      ),
      dns: fc.uniqueArray(address, { maxLength: 2 }),
      mtu: fc.integer({ min: 1280, max: 1440 }),
      persistentKeepaliveSeconds: fc.integer({ min: 0, max: 65535 }),
    },
    { requiredKeys: ['privateKey', 'peerPublicKey'] },
  ),
});

/** Text that would be something else than data wherever it was pasted. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '',
    "'; reboot #",
    '$(reboot)',
    'a\nPostUp = reboot',
    'a"b',
    '*anchor',
    '&a !!python/object:os.system {}',
    '- a: b',
    '#cloud-config',
    '\u2028',
    '\u0085',
    '\ufeff',
    'x: !!binary aGk=',
    '-n',
    '../../etc/shadow',
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
);
