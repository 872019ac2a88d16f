import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { addon } from '../../../src/native/addon.ts';
import {
  decodePolicy,
  encodePolicy,
  ENDPOINT_LAYOUT,
  FLAG_AUDIT,
  FLAG_QUARANTINED,
  FLAG_STRICT_WIREGUARD,
  MAX_BITS_PER_SECOND,
  MAX_DENIED,
  MAX_PACKETS_PER_SECOND,
  MILLION,
  MODES,
  POLICY_ABI,
  POLICY_BYTES,
  POLICY_LAYOUT,
  policyHash,
  randomSecret,
  type AddressRange,
  type Policy,
} from '../../../src/native/policy-abi.ts';

const layout = addon().abiLayout();

const LOCAL = [{ first: '127.0.0.0', last: '127.255.255.255' }];
const DIRECT = {
  mode: 'Direct',
  flags: { quarantined: false, strictWireGuard: false, audit: false },
  endpoint: null,
  previous: null,
  samplePerMillion: 0,
  denied: LOCAL,
} satisfies Partial<Policy>;
const single = (_: unknown, index: number): AddressRange => {
  const address = `10.${index >> 7}.${index & 127}.1`;
  return { first: address, last: address };
};

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
      VMN_MODE_FILTERED: MODES.Filtered,
      VMN_MODE_CONNTRACK: MODES.Conntrack,
      VMN_MODE_SAMPLED: MODES.Sampled,
      VMN_MODE_DIRECT: MODES.Direct,
      VMN_DENIED_MAX: MAX_DENIED,
      vmn_range: 8,
      'vmn_range.first': 0,
      'vmn_range.last': 4,
      VMN_POLICY_QUARANTINED: FLAG_QUARANTINED,
      VMN_POLICY_STRICT_WIREGUARD: FLAG_STRICT_WIREGUARD,
      VMN_POLICY_AUDIT: FLAG_AUDIT,
      VMN_BITS_PER_SECOND_MAX: MAX_BITS_PER_SECOND,
      VMN_PACKETS_PER_SECOND_MAX: MAX_PACKETS_PER_SECOND,
      VMN_MILLION: MILLION,
    });
  });
});

const address = fc.ipV4();
const mac = fc
  .array(fc.integer({ min: 0, max: 255 }), { minLength: 6, maxLength: 6 })
  .map((bytes) => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':'));
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const endpoint = fc.record({ address, port: fc.integer({ min: 1, max: 65535 }) });
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const threshold = fc.record({ threshold: u32, windowMs: fc.integer({ min: 1, max: 2 ** 32 - 1 }) });
const dotted = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.');
const ranges = fc
  .uniqueArray(u32, { minLength: 2, maxLength: 40 })
  .map((ends) => ends.sort((a, b) => a - b).slice(ends.length % 2))
  .map((ends) =>
    ends.flatMap((last, at) => (at % 2 === 0 ? [] : [{ first: dotted(ends[at - 1]!), last: dotted(last) }])),
  );
const policies: fc.Arbitrary<Policy> = fc
  .record({
    flags: fc.record({ quarantined: fc.boolean(), strictWireGuard: fc.boolean(), audit: fc.boolean() }),
    generation: u64,
    guestMac: mac,
    gatewayMac: mac,
    guestAddress: address,
    gatewayAddress: address,
    mode: fc.constantFrom(...Object.keys(MODES).map((mode) => mode as Policy['mode'])),
    endpoint,
    previous: fc.option(fc.record({ address, port: fc.integer({ min: 1, max: 65535 }), untilNs: u64 })),
    secret: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    limits: fc.record({
      egressBitsPerSecond: fc.integer({ min: 0, max: MAX_BITS_PER_SECOND }),
      packetsPerSecond: fc.integer({ min: 0, max: MAX_PACKETS_PER_SECOND }),
    }),
    samplePerMillion: fc.integer({ min: 0, max: MILLION }),
    maxPacketBytes: fc.integer({ min: 0, max: 65535 }),
    violation: fc.oneof(threshold, fc.constant({ threshold: 0, windowMs: 0 })),
  })
  .chain((policy): fc.Arbitrary<Policy> => {
    const { mode, flags } = policy;
    if (mode === 'Sampled') return fc.constant(policy);
    if (mode !== 'Direct') return fc.constant({ ...policy, samplePerMillion: 0 });
    const direct = { ...policy, ...DIRECT, flags: { ...flags, audit: false } };
    return ranges.map((denied) => ({ ...direct, denied }));
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
        expect(Buffer.compare(encodePolicy(decodePolicy(bytes)), bytes)).toBe(0);
      }),
    );
  });

  const policy: Policy = {
    flags: { quarantined: false, strictWireGuard: false, audit: false },
    generation: 1n,
    guestMac: '02:76:00:00:00:02',
    gatewayMac: '02:76:6d:6e:00:01',
    guestAddress: '100.64.0.2',
    gatewayAddress: '169.254.1.1',
    mode: 'Filtered',
    endpoint: { address: '192.0.2.1', port: 51820 },
    previous: null,
    secret: new Uint8Array(16),
    limits: { egressBitsPerSecond: 0, packetsPerSecond: 0 },
    samplePerMillion: 0,
    maxPacketBytes: 0,
    violation: { threshold: 0, windowMs: 0 },
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
    ['a secret of 15 bytes', { secret: new Uint8Array(15) }],
    [
      'more bits than there are',
      { limits: { egressBitsPerSecond: MAX_BITS_PER_SECOND + 1, packetsPerSecond: 0 } },
    ],
    ['half a bit', { limits: { egressBitsPerSecond: 0.5, packetsPerSecond: 0 } }],
    ['a negative rate', { limits: { egressBitsPerSecond: 0, packetsPerSecond: -1 } }],
    [
      'more packets than there are',
      { limits: { egressBitsPerSecond: 0, packetsPerSecond: MAX_PACKETS_PER_SECOND + 1 } },
    ],
    ['more than every frame', { mode: 'Sampled', samplePerMillion: MILLION + 1 }],
    ['a sample of a mode that draws none', { mode: 'Conntrack', samplePerMillion: 1 }],
    ['a packet longer than IPv4 has', { maxPacketBytes: 65536 }],
    ['a threshold without a window', { violation: { threshold: 1, windowMs: 0 } }],
    ['a window of 33 bits', { violation: { threshold: 1, windowMs: 2 ** 32 } }],
    ['no endpoint', { endpoint: null }],
    ['denied ranges beside an endpoint', { denied: [{ first: '10.0.0.0', last: '10.0.0.1' }] }],
    ['Direct that denies nothing', { ...DIRECT, denied: [] }],
    ['Direct without denied ranges', { mode: 'Direct', endpoint: null, previous: null }],
    ['Direct with an endpoint', { ...DIRECT, endpoint: { address: '203.0.113.10', port: 1 } }],
    [
      'Direct with a previous endpoint',
      { ...DIRECT, previous: { address: '203.0.113.10', port: 1, untilNs: 1n } },
    ],
    ['Direct that audits', { ...DIRECT, flags: { quarantined: false, strictWireGuard: false, audit: true } }],
    ['a range that ends before it begins', { ...DIRECT, denied: [{ first: '10.0.0.1', last: '10.0.0.0' }] }],
    ['ranges out of order', { ...DIRECT, denied: [...LOCAL, { first: '10.0.0.0', last: '10.0.0.0' }] }],
    [
      'ranges that overlap',
      { ...DIRECT, denied: [...LOCAL, { first: '127.255.255.255', last: '128.0.0.0' }] },
    ],
    [
      'more ranges than there is room for',
      { ...DIRECT, denied: Array.from({ length: MAX_DENIED + 1 }, single) },
    ],
    ['what is no address', { ...DIRECT, denied: [{ first: '10.0.0', last: '10.0.0.1' }] }],
  ])('refuses %s rather than write something else', (_, change) => {
    expect(() => encodePolicy({ ...policy, ...change })).toThrow(TypeError);
  });

  test.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ['a byte too few', (bytes) => bytes.subarray(1)],
    ['another ABI', (bytes) => bytes.fill(9, POLICY_LAYOUT.abi, POLICY_LAYOUT.abi + 1)],
    ['an unknown mode', (bytes) => bytes.fill(9, POLICY_LAYOUT.mode, POLICY_LAYOUT.mode + 1)],
    ['a mode of 0', (bytes) => bytes.fill(0, POLICY_LAYOUT.mode, POLICY_LAYOUT.mode + 4)],
    ['the flag after the last', (bytes) => bytes.fill(8, POLICY_LAYOUT.flags, POLICY_LAYOUT.flags + 1)],
    ['more bits than there are', (bytes) => bytes.fill(255, POLICY_LAYOUT.egress_bits_per_second, 88)],
    ['more packets than there are', (bytes) => bytes.fill(255, POLICY_LAYOUT.packets_per_second, 96)],
    ['a sample of a mode that draws none', (bytes) => bytes.fill(1, POLICY_LAYOUT.sample_per_million, 97)],
    ['a threshold without a window', (bytes) => bytes.fill(1, POLICY_LAYOUT.violation_threshold, 105)],
    ['an unknown flag', (bytes) => bytes.fill(128, POLICY_LAYOUT.flags, POLICY_LAYOUT.flags + 1)],
    ['reserved bytes in use', (bytes) => bytes.fill(1, POLICY_BYTES - 1)],
  ])('does not read %s as a policy', (_, damage) => {
    expect(() => decodePolicy(damage(encodePolicy(policy)))).toThrow('not a policy of this version');
  });
});

describe('the secret', () => {
  test('is another one each time', () => {
    const secrets = new Set(Array.from({ length: 100 }, () => Buffer.from(randomSecret()).toString('hex')));
    expect(secrets.size).toBe(100);
    expect([...secrets].every((secret) => secret.length === 32)).toBe(true);
  });

  test('does not show in the hash, everything else does', () => {
    fc.assert(
      fc.property(policies, fc.uint8Array({ minLength: 16, maxLength: 16 }), (policy, secret) => {
        const hash = policyHash(encodePolicy(policy));
        expect(policyHash(encodePolicy({ ...policy, secret }))).toBe(hash);
        const next = (policy.generation + 1n) % 2n ** 64n;
        expect(policyHash(encodePolicy({ ...policy, generation: next }))).not.toBe(hash);
      }),
    );
    const bytes = new Uint8Array(POLICY_BYTES);
    const hashes = Array.from(bytes, (_, at) => policyHash(bytes.with(at, 1)));
    const shown = hashes.map((hash) => hash !== policyHash(bytes));
    expect(shown).toEqual(
      Array.from(bytes, (_, at) => at < POLICY_LAYOUT.secret || at >= POLICY_LAYOUT.secret + 16),
    );
  });

  test('of the bytes that were hashed is left alone', () => {
    const bytes = new Uint8Array(POLICY_BYTES).fill(7);
    policyHash(bytes);
    expect(bytes.every((byte) => byte === 7)).toBe(true);
  });
});
