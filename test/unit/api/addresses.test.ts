import { describe, expect, test } from '@jest/globals';
import {
  cidrContains,
  cidrSchema,
  formatIpv4Address,
  ipv4AddressToNumber,
  macAddressSchema,
  networkAddress,
  networkCidrSchema,
  parseCidr,
  parseIpv4Address,
  parseMacAddress,
  portSchema,
  wireGuardKeySchema,
} from '../../../src/api/v1alpha1/index.ts';
import type { Cidr } from '../../../src/api/v1alpha1/index.ts';
import { dnsLabelSchema, dnsSubdomainSchema } from '../../../src/api/v1alpha1/dns-1123.ts';

const ipv4 = (text: string) => {
  const address = parseIpv4Address(text);
  if (address === null) throw new Error(`not an address: ${text}`);
  return address;
};

describe('IPv4 addresses', () => {
  test.each(['0.0.0.0', '1.2.3.4', '10.20.30.40', '199.249.250.255', '255.255.255.255'])(
    '%s is read',
    (text) => {
      expect(parseIpv4Address(text)).toBe(text);
    },
  );

  // Each of these is an address to some reader: inet_aton, URL parsers, ipaddr.js, people.
  test.each([
    '010.0.0.1',
    '1.2.3',
    '1.2',
    '16909060',
    '0x7f.1',
    '0x7f000001',
    '1.2.3.4.',
    '.1.2.3.4',
    '1.2.3.256',
    '1.2.3.-4',
    '+1.2.3.4',
    '1.2.3.4 ',
    '\t1.2.3.4',
    '1.2.3.4\n',
    '1.2.3.4\0',
    '1,2,3,4',
    '1.2.3.4/32',
    '1.2.3.4:1',
    '１.2.3.4',
    '1.2.3.٤',
    '1。2.3.4',
    '::1',
    '',
    '00.0.0.0',
    '1.2.3.1e1',
    '1..2.3',
    '1.2.3.0004',
  ])('%j is not', (text) => {
    expect(parseIpv4Address(text)).toBeNull();
  });

  test('numbers go both ways, and only 32 bits of them', () => {
    expect(ipv4AddressToNumber(ipv4('255.255.255.255'))).toBe(0xffffffff);
    expect(ipv4AddressToNumber(ipv4('128.0.0.1'))).toBe(0x80000001);
    expect(formatIpv4Address(0x80000001)).toBe('128.0.0.1');
    for (const value of [-1, 2 ** 32, 1.5, Number.NaN])
      expect(() => formatIpv4Address(value)).toThrow(RangeError);
  });
});

describe('prefixes', () => {
  test.each([
    ['10.99.0.2/24', '10.99.0.0'],
    ['10.99.0.2/32', '10.99.0.2'],
    ['203.0.113.10/0', '0.0.0.0'],
    ['255.255.255.255/1', '128.0.0.0'],
  ])('%s lies in the network %s', (text, network) => {
    const parsed = parseCidr(text);
    expect(parsed === null ? null : networkAddress(parsed)).toBe(network);
    expect(cidrContains(cidrSchema.parse(text), ipv4(network))).toBe(true);
  });

  test.each([
    '1.2.3.4',
    '1.2.3.4/',
    '1.2.3.4/33',
    '1.2.3.4/-1',
    '1.2.3.4/08',
    '1.2.3.4/24/8',
    '1.2.3/24',
    ' 1.2.3.4/24',
    '::/0',
  ])('%j is none', (text) => {
    expect(parseCidr(text)).toBeNull();
    expect(cidrSchema.safeParse(text).success).toBe(false);
  });

  test('edges of a network', () => {
    const network = cidrSchema.parse('172.16.0.0/12');
    expect(
      ['172.15.255.255', '172.16.0.0', '172.31.255.255', '172.32.0.0'].map((text) =>
        cidrContains(network, ipv4(text)),
      ),
    ).toEqual([false, true, true, false]);
    // What never went through the schema contains nothing.
    expect(cidrContains('garbage' as Cidr, ipv4('1.2.3.4'))).toBe(false);
  });

  test('a network has no bits after its prefix', () => {
    expect(networkCidrSchema.safeParse('10.99.0.0/24').success).toBe(true);
    expect(networkCidrSchema.safeParse('10.99.0.1/24').success).toBe(false);
  });
});

test.each([
  ['02:76:1f:00:a2:4c', true],
  ['00:00:00:00:00:01', true],
  ['02:76:1F:00:A2:4C', false],
  ['02-76-1f-00-a2-4c', false],
  ['2:76:1f:0:a2:4c', false],
  ['02:76:1f:00:a2', false],
  ['02:76:1f:00:a2:4c:00', false],
  ['01:00:5e:00:00:01', false],
  ['ff:ff:ff:ff:ff:ff', false],
  ['00:00:00:00:00:00', false],
  ['02:76:1f:00:a2:4c\n', false],
])('MAC address %j: %s', (text, good) => {
  expect(macAddressSchema.safeParse(text).success).toBe(good);
  expect(parseMacAddress(text)).toBe(good ? text : null);
});

test.each([
  [1, true],
  [65535, true],
  [0, false],
  [65536, false],
  [-1, false],
  [1.5, false],
  [Number.NaN, false],
  ['1', false],
  [1n, false],
])('port %p: %s', (value, good) => {
  expect(portSchema.safeParse(value).success).toBe(good);
});

test('a WireGuard key has exactly one spelling', () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const accepted = Array.from(alphabet).filter(
    (last) => wireGuardKeySchema.safeParse(`${'B'.repeat(42)}${last}=`).success,
  );
  expect(accepted).toHaveLength(16);
  for (const last of accepted) {
    const text = `${'B'.repeat(42)}${last}=`;
    expect(Buffer.from(text, 'base64')).toHaveLength(32);
    expect(Buffer.from(text, 'base64').toString('base64')).toBe(text);
  }
});

test.each([
  ['a', true, true],
  ['a-b', true, true],
  ['a.b', false, true],
  ['a'.repeat(63), true, true],
  // Kubernetes bounds the parts of a subdomain by nothing but the whole.
  ['a'.repeat(64), false, true],
  ['a'.repeat(253), false, true],
  ['a'.repeat(254), false, false],
  ['', false, false],
  ['-a', false, false],
  ['a-', false, false],
  ['A', false, false],
  ['a_b', false, false],
  ['a..b', false, false],
  ['a.-b', false, false],
  ['ä', false, false],
  ['a\n', false, false],
])('DNS name %j: label %s, subdomain %s', (text, label, subdomain) => {
  expect(dnsLabelSchema.safeParse(text).success).toBe(label);
  expect(dnsSubdomainSchema.safeParse(text).success).toBe(subdomain);
});
