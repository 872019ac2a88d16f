import { isIPv4 } from 'node:net';
import type { z } from 'zod';
import { formedText } from './formed-text.ts';

/**
 * IPv4 addresses, read strictly: four decimal numbers 0 to 255 without leading zeros, nothing around them.
 *
 * Looser readers disagree with one another: `010.0.0.1` is 10.0.0.1 to some and 8.0.0.1 to inet_aton(3), `1.2.3` is
 * 1.2.0.3 or an error. In an allowlist such a disagreement is a bypass, so there is one spelling for each address.
 */
const OCTET = '(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';

/** Asked by the API server too, so it keeps to what RE2 and ECMAScript share. */
export const IPV4_PATTERN = new RegExp(`^${OCTET}([.]${OCTET}){3}$`);

export const ipv4AddressSchema = formedText({
  pattern: IPV4_PATTERN,
  maxLength: 64,
  form: 'must be an IPv4 address: four decimal numbers 0 to 255 separated by dots',
  remedy: 'Write four decimal numbers without leading zeros, spaces or shorthand, for example 203.0.113.10.',
})
  .brand<'Ipv4Address'>()
  .meta({ description: 'IPv4 address in dotted decimal notation.', examples: ['203.0.113.10'] });

/** An IPv4 address in its one canonical spelling. */
export type Ipv4Address = z.infer<typeof ipv4AddressSchema>;

/** The address, or null if `text` is anything but its canonical spelling. Both readers have to agree. */
export function parseIpv4Address(text: string): Ipv4Address | null {
  return IPV4_PATTERN.test(text) && isIPv4(text) ? (text as Ipv4Address) : null;
}

/** The address as an unsigned 32-bit number in host order: 0.0.0.1 is 1. */
export function ipv4AddressToNumber(address: Ipv4Address): number {
  return address.split('.').reduce((value, octet) => value * 256 + Number(octet), 0);
}

/** Inverse of {@link ipv4AddressToNumber}. Throws RangeError outside 0 to 2^32 - 1. */
export function formatIpv4Address(value: number): Ipv4Address {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
    throw new RangeError(`not an unsigned 32-bit number: ${value}`);
  }
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.') as Ipv4Address;
}
