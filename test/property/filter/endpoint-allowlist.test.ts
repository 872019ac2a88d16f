import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Endpoint } from '../../../src/filter/endpoint.ts';
import { EndpointAllowlist } from '../../../src/filter/endpoint-allowlist.ts';
import { Ipv4Address } from '../../../src/packet/ipv4-address.ts';

/** Few values, so that endpoints often have something in common. */
const endpoint: fc.Arbitrary<Endpoint> = fc.record({
  protocol: fc.constantFrom(6, 17, 255),
  address: fc
    .constantFrom(1, 0x0100_0000, 0xcb00_710a, 0xffff_ffff)
    .map((value) => Ipv4Address.fromNumber(value)),
  port: fc.constantFrom(1, 256, 51820, 65535),
});
const list = fc.array(endpoint, { maxLength: 6 });
const name = ({ protocol, address, port }: Endpoint): string => `${protocol}/${address.toString()}:${port}`;

test('[AL-2] after any replacements exactly what is on the last list passes', () => {
  fc.assert(
    fc.property(fc.array(list, { minLength: 1, maxLength: 5 }), fc.array(endpoint), (lists, asked) => {
      const allowlist = new EndpointAllowlist();
      for (const next of lists) {
        allowlist.replace(next);
        const names = next.map(name);
        for (const wanted of [...asked, ...lists.flat()])
          expect(allowlist.allows(wanted)).toBe(names.includes(name(wanted)));
      }
    }),
  );
});

test('[AL-1] whatever was on it before, an emptied list blocks everything', () => {
  fc.assert(
    fc.property(list, fc.array(endpoint), (before, asked) => {
      const allowlist = new EndpointAllowlist(before);
      allowlist.replace([]);
      expect([...asked, ...before].filter((wanted) => allowlist.allows(wanted))).toEqual([]);
    }),
  );
});
