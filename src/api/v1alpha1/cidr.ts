import type { z } from 'zod';
import { formedText } from './formed-text.ts';
import { IPV4_PATTERN, formatIpv4Address, ipv4AddressToNumber, parseIpv4Address } from './ipv4-address.ts';
import type { Ipv4Address } from './ipv4-address.ts';

/** IPv4 prefixes, `address/length`, as strict about both halves as {@link parseIpv4Address} is about addresses. */
export const CIDR_PATTERN = new RegExp(`${IPV4_PATTERN.source.slice(0, -1)}[/](3[0-2]|[12]?[0-9])$`);

/** An address with the length of its network; the bits after the prefix may be set. */
export const cidrSchema = formedText({
  pattern: CIDR_PATTERN,
  maxLength: 64,
  form: 'must be an IPv4 address and a prefix length 0 to 32 (ADDRESS/LENGTH)',
  remedy:
    'Write an IPv4 address, a slash and a length 0 to 32, for example 10.99.0.2/32. IPv6 is not supported.',
})
  .brand<'Cidr'>()
  .meta({ description: 'IPv4 address and prefix length (CIDR notation).', examples: ['10.99.0.2/32'] });

/** `ADDRESS/LENGTH` in its one canonical spelling. */
export type Cidr = z.infer<typeof cidrSchema>;

const HOST_BITS = 'must name a whole network: the bits after the prefix length have to be zero';
const CLEAR_THEM =
  'Clear the address bits after the prefix, for example 10.99.0.0/24 instead of 10.99.0.2/24.';

/** A whole network: the bits after the prefix are zero. */
export const networkCidrSchema = cidrSchema
  // A malformed text already has its message.
  .refine((text) => parseCidr(text) === null || isNetwork(text), {
    error: HOST_BITS,
    params: { remedy: CLEAR_THEM },
  })
  .meta({
    description: 'IPv4 network in CIDR notation.',
    examples: ['10.99.0.0/24'],
    'x-kubernetes-validations': [
      {
        rule: '!isCIDR(self) || cidr(self) == cidr(self).masked()',
        message: `${HOST_BITS}. ${CLEAR_THEM}`,
      },
    ],
  });

export interface ParsedCidr {
  readonly address: Ipv4Address;
  /** Bits, 0 to 32. */
  readonly prefixLength: number;
}

/** Both halves, or null if `text` is anything but a canonical prefix. */
export function parseCidr(text: string): ParsedCidr | null {
  if (!CIDR_PATTERN.test(text)) return null;
  const [addressText = '', lengthText = ''] = text.split('/');
  const address = parseIpv4Address(addressText);
  return address === null ? null : { address, prefixLength: Number(lengthText) };
}

/** First address of the network that `cidr` lies in. */
export function networkAddress({ address, prefixLength }: ParsedCidr): Ipv4Address {
  const hosts = 2 ** (32 - prefixLength);
  const value = ipv4AddressToNumber(address);
  return formatIpv4Address(value - (value % hosts));
}

/** Whether `address` lies in the network of `cidr`. */
export function cidrContains(cidr: Cidr, address: Ipv4Address): boolean {
  const parsed = parseCidr(cidr);
  if (parsed === null) return false;
  return networkAddress(parsed) === networkAddress({ address, prefixLength: parsed.prefixLength });
}

function isNetwork(text: string): boolean {
  const parsed = parseCidr(text);
  return parsed !== null && networkAddress(parsed) === parsed.address;
}
