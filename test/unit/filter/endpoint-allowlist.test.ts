import { describe, expect, test } from '@jest/globals';
import type { Endpoint } from '../../../src/filter/endpoint.ts';
import { EndpointAllowlist, EndpointAllowlistReader } from '../../../src/filter/endpoint-allowlist.ts';
import { address } from '../../support/frames-generator/policy.ts';

const UDP = 17;
const TCP = 6;
const at = (text: string, port: number, protocol = UDP): Endpoint => ({
  protocol,
  address: address(text),
  port,
});
const consumer = at('203.0.113.10', 51900);
const second = at('203.0.113.20', 51820);

test.each([consumer, at('0.0.0.0', 0), at('255.255.255.255', 65535), at('0.0.0.0', 51900, 0)])(
  '[AL-1] an empty list blocks everybody: %s',
  (endpoint) => {
    for (const list of [new EndpointAllowlist(), new EndpointAllowlist([], 0), emptied()]) {
      expect(list.allows(endpoint)).toBe(false);
      expect(list.lookUp(endpoint)).toBe('unlisted');
    }
  },
);

function emptied(): EndpointAllowlist {
  const list = new EndpointAllowlist([consumer, second]);
  list.replace([]);
  return list;
}

describe('[AL-2] only the exact (protocol, address, port) passes', () => {
  const list = new EndpointAllowlist([consumer, second, at('198.51.100.1', 443, TCP)]);

  test.each([consumer, second, at('198.51.100.1', 443, TCP)])('listed: %s', (endpoint) => {
    expect([list.allows(endpoint), list.lookUp(endpoint)]).toEqual([true, 'listed']);
  });

  test.each([
    ['right address, wrong port', at('203.0.113.10', 51901), 'other-port'],
    ['right address, the port of another', at('203.0.113.10', 51820), 'other-port'],
    ['right address, port 0', at('203.0.113.10', 0), 'other-port'],
    ['right port, wrong address', at('203.0.113.11', 51900), 'unlisted'],
    ['bytes turned round', at('10.113.0.203', 51900), 'unlisted'],
    ['ports turned round', at('203.0.113.10', ((51900 & 0xff) << 8) | (51900 >>> 8)), 'other-port'],
    ['TCP to a UDP endpoint', at('203.0.113.10', 51900, TCP), 'unlisted'],
    ['UDP to a TCP endpoint', at('198.51.100.1', 443), 'unlisted'],
    ['protocol 0', at('203.0.113.10', 51900, 0), 'unlisted'],
    ['a protocol 256 higher', at('203.0.113.10', 51900, UDP + 256), 'unlisted'],
    ['a port 65536 higher', at('203.0.113.10', 51900 + 65536), 'other-port'],
  ] as const)('not listed: %s', (_, endpoint, listing) => {
    expect([list.allows(endpoint), list.lookUp(endpoint)]).toEqual([false, listing]);
  });

  test('every single bit of an endpoint counts', () => {
    const flips = Array.from({ length: 56 }, (_, bit): Endpoint => {
      if (bit < 8) return { ...consumer, protocol: consumer.protocol ^ (1 << bit) };
      if (bit < 24) return { ...consumer, port: consumer.port ^ (1 << (bit - 8)) };
      const flipped = consumer.address.value ^ (1 << (bit - 24));
      return { ...consumer, address: address([24, 16, 8, 0].map((by) => (flipped >>> by) & 0xff).join('.')) };
    });
    expect(flips.filter((endpoint) => list.allows(endpoint))).toEqual([]);
  });

  test('the last place of a full list is looked at too', () => {
    const many = Array.from({ length: 4 }, (_, index) => at(`192.0.2.${String(index)}`, 1000 + index));
    const full = new EndpointAllowlist(many, many.length);
    expect(many.every((endpoint) => full.allows(endpoint))).toBe(true);
  });
});

describe('what cannot be a list is refused, and the list in force stays', () => {
  test.each([
    ['port 0', [at('203.0.113.10', 0)]],
    ['address 0.0.0.0', [second, at('0.0.0.0', 51900)]],
    ['a port of more than 16 bits', [at('203.0.113.10', 65536)]],
    ['half a port', [at('203.0.113.10', 1.5)]],
    ['no number', [at('203.0.113.10', Number.NaN)]],
    ['a negative port', [at('203.0.113.10', -1)]],
    ['a protocol of more than 8 bits', [at('203.0.113.10', 1, 256)]],
    ['more than there is room for', [second, second, second]],
  ])('%s', (_, endpoints) => {
    const list = new EndpointAllowlist([consumer], 2);
    expect(() => list.replace(endpoints)).toThrow(RangeError);
    expect([list.allows(consumer), list.allows(second)]).toEqual([true, false]);
  });

  test('the last replacement there is: refused, so that no sequence number ever comes again', () => {
    const list = new EndpointAllowlist([consumer]);
    Atomics.store(list.shared.words, 0, 0xffff_fffe - 1);
    list.replace([consumer]);
    list.replace([second]);
    expect(() => list.replace([consumer])).toThrow(RangeError);
    expect([list.allows(consumer), list.allows(second)]).toEqual([false, true]);
  });
});

test('a reader over the shared memory sees the list and each replacement', () => {
  const list = new EndpointAllowlist([consumer]);
  const reader = new EndpointAllowlistReader(structuredClone(list.shared));
  expect([reader.allows(consumer), reader.allows(second)]).toEqual([true, false]);
  list.replace([second]);
  expect([reader.allows(consumer), reader.allows(second)]).toEqual([false, true]);
});
