import { isIPv4 } from 'node:net';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  cidrContains,
  cidrSchema,
  formatIpv4Address,
  ipv4AddressToNumber,
  networkAddress,
  parseCidr,
  parseIpv4Address,
} from '../../../src/api/v1alpha1/index.ts';
import { REFUSED_ENDPOINT_RANGES } from '../../../src/api/v1alpha1/consumer-endpoint.ts';

const uint32 = fc.integer({ min: 0, max: 0xffffffff });
/** Text that is nearly an address, which random text never is. */
const almost = fc
  .array(
    fc.oneof(
      fc.integer({ min: -1, max: 300 }).map(String),
      fc.constantFrom('', '00', '01', '0x1', '1e1', ' 1', '1 ', '１', '٣'),
    ),
    { minLength: 1, maxLength: 6 },
  )
  .chain((parts) => fc.constantFrom('.', '.', '.', '。', ' .').map((dot) => parts.join(dot)));

test('every number is an address and comes back', () => {
  fc.assert(
    fc.property(uint32, (value) => {
      const address = parseIpv4Address(formatIpv4Address(value));
      expect(address === null ? null : ipv4AddressToNumber(address)).toBe(value);
    }),
  );
});

test('whatever is accepted is the canonical spelling, to us and to Node', () => {
  fc.assert(
    fc.property(
      fc.oneof(almost, fc.string(), fc.string({ unit: 'binary' }), fc.ipV4(), fc.ipV4Extended()),
      (text) => {
        const address = parseIpv4Address(text);
        if (address === null) return;
        expect(formatIpv4Address(ipv4AddressToNumber(address))).toBe(text);
        expect(isIPv4(text)).toBe(true);
      },
    ),
    { numRuns: 2000 },
  );
});

test('every plain dotted quad is accepted', () => {
  fc.assert(fc.property(fc.ipV4(), (text) => parseIpv4Address(text) === text));
});

test('a network contains what shares its prefix, and nothing else', () => {
  fc.assert(
    fc.property(uint32, uint32, fc.integer({ min: 0, max: 32 }), (network, other, length) => {
      const cidr = cidrSchema.parse(`${formatIpv4Address(network)}/${length}`);
      const shift = BigInt(32 - length);
      expect(cidrContains(cidr, formatIpv4Address(other))).toBe(
        BigInt(network) >> shift === BigInt(other) >> shift,
      );
      const parsed = parseCidr(cidr);
      expect(parsed !== null && cidrContains(cidr, networkAddress(parsed))).toBe(true);
    }),
  );
});

test('a refused range means the same to us and, as a pattern, to the API server', () => {
  const near = fc.tuple(
    fc.constantFrom(0, 1, 126, 127, 128, 168, 169, 170, 223, 224, 239, 240, 255),
    fc.nat(255),
    uint32,
  );
  fc.assert(
    fc.property(
      fc.oneof(
        uint32,
        near.map(([a, b, rest]) => a * 2 ** 24 + b * 2 ** 16 + (rest % 2 ** 16)),
      ),
      (value) => {
        const address = formatIpv4Address(value);
        for (const { network, pattern } of REFUSED_ENDPOINT_RANGES) {
          expect(new RegExp(pattern).test(address)).toBe(cidrContains(network, address));
        }
      },
    ),
    { numRuns: 1000 },
  );
});
