import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { addon } from '../../../src/native/addon.ts';
import {
  decodePolicy,
  encodePolicy,
  ENDPOINT_LAYOUT,
  FLAG_QUARANTINED,
  FLAG_STRICT_WIREGUARD,
  MODE_FILTERED,
  POLICY_ABI,
  POLICY_BYTES,
  POLICY_LAYOUT,
  REASON_SLOTS,
  type Policy,
} from '../../../src/native/policy-abi.ts';

const layout = addon().abiLayout();

describe('policy layout', () => {
  test.each(Object.entries(POLICY_LAYOUT))(
    'vmn_policy.%s stands where the compiler put it',
    (field, offset) => {
      expect(layout[`vmn_policy.${field}`]).toBe(offset);
    },
  );

  test('every field that the compiler knows is known here', () => {
    const fields = Object.keys(layout).filter((name) => name.startsWith('vmn_policy.'));
    expect(fields.sort()).toEqual(
      Object.keys(POLICY_LAYOUT)
        .map((name) => `vmn_policy.${name}`)
        .sort(),
    );
  });

  test('sizes and constants are those of the header', () => {
    expect(layout).toMatchObject({
      vmn_policy: POLICY_BYTES,
      vmn_endpoint: 8,
      'vmn_endpoint.address_be': ENDPOINT_LAYOUT.address_be,
      'vmn_endpoint.port_be': ENDPOINT_LAYOUT.port_be,
      VMN_POLICY_ABI: POLICY_ABI,
      VMN_MODE_FILTERED: MODE_FILTERED,
      VMN_POLICY_QUARANTINED: FLAG_QUARANTINED,
      VMN_POLICY_STRICT_WIREGUARD: FLAG_STRICT_WIREGUARD,
      VMN_REASON_SLOTS: REASON_SLOTS,
    });
  });
});

const address = fc.ipV4();
const mac = fc
  .array(fc.integer({ min: 0, max: 255 }), { minLength: 6, maxLength: 6 })
  .map((bytes) => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':'));
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const endpoint = fc.record({ address, port: fc.integer({ min: 1, max: 65535 }) });
const policies: fc.Arbitrary<Policy> = fc.record({
  flags: fc.record({ quarantined: fc.boolean(), strictWireGuard: fc.boolean() }),
  generation: u64,
  guestMac: mac,
  gatewayMac: mac,
  guestAddress: address,
  gatewayAddress: address,
  mode: fc.constant('Filtered' as const),
  endpoint,
  previous: fc.option(fc.record({ address, port: fc.integer({ min: 1, max: 65535 }), untilNs: u64 })),
});

describe('policy bytes', () => {
  test('any policy comes back as it was', () => {
    fc.assert(
      fc.property(policies, (policy) => {
        expect(decodePolicy(encodePolicy(policy))).toEqual(policy);
      }),
    );
  });

  test('what decodes encodes to the same bytes', () => {
    fc.assert(
      fc.property(policies, (policy) => {
        const bytes = encodePolicy(policy);
        expect(Buffer.from(encodePolicy(decodePolicy(bytes)))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  const policy: Policy = {
    flags: { quarantined: false, strictWireGuard: false },
    generation: 1n,
    guestMac: '02:76:00:00:00:02',
    gatewayMac: '02:76:6d:6e:00:01',
    guestAddress: '100.64.0.2',
    gatewayAddress: '169.254.1.1',
    mode: 'Filtered',
    endpoint: { address: '192.0.2.1', port: 51820 },
    previous: null,
  };

  test.each<[string, Partial<Policy>]>([
    ['an octal address', { guestAddress: '0100.64.0.2' }],
    ['a short address', { gatewayAddress: '169.254.1' }],
    ['a MAC of five bytes', { guestMac: '02:76:00:00:00' }],
    ['port 0', { endpoint: { address: '192.0.2.1', port: 0 } }],
    ['port 65536', { endpoint: { address: '192.0.2.1', port: 65536 } }],
    ['a broken port', { endpoint: { address: '192.0.2.1', port: 1.5 } }],
    ['a previous port 0', { previous: { address: '192.0.2.1', port: 0, untilNs: 1n } }],
    ['a negative generation', { generation: -1n }],
    ['a generation of 65 bits', { generation: 2n ** 64n }],
  ])('refuses %s rather than write something else', (_, change) => {
    expect(() => encodePolicy({ ...policy, ...change })).toThrow(TypeError);
  });

  test.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ['a byte too few', (bytes) => bytes.subarray(1)],
    ['another ABI', (bytes) => bytes.fill(9, POLICY_LAYOUT.abi, POLICY_LAYOUT.abi + 1)],
    ['an unknown mode', (bytes) => bytes.fill(9, POLICY_LAYOUT.mode, POLICY_LAYOUT.mode + 1)],
    ['an unknown flag', (bytes) => bytes.fill(128, POLICY_LAYOUT.flags, POLICY_LAYOUT.flags + 1)],
    ['reserved bytes in use', (bytes) => bytes.fill(1, POLICY_BYTES - 1)],
  ])('does not read %s as a policy', (_, damage) => {
    expect(() => decodePolicy(damage(encodePolicy(policy)))).toThrow('not a policy of this version');
  });
});
