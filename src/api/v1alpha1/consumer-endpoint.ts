import { z } from 'zod';
import { cidrContains, cidrSchema } from './cidr.ts';
import { ipv4AddressSchema, parseIpv4Address } from './ipv4-address.ts';
import { portSchema } from './port.ts';

interface RefusedRange {
  readonly name: string;
  readonly network: z.infer<typeof cidrSchema>;
  /** The same test in the language of the API server, which cannot compute with addresses in strings. */
  readonly pattern: string;
}

/**
 * Ranges that no consumer can have. Private ranges (RFC 1918, 100.64.0.0/10) are fine here; whether a tenant may name
 * them is decided by the VMNetworkClass.
 */
export const REFUSED_ENDPOINT_RANGES: readonly RefusedRange[] = [
  { name: '"this network" (0.0.0.0/8)', network: cidrSchema.parse('0.0.0.0/8'), pattern: '^0[.]' },
  { name: 'loopback (127.0.0.0/8)', network: cidrSchema.parse('127.0.0.0/8'), pattern: '^127[.]' },
  {
    name: 'link-local (169.254.0.0/16)',
    network: cidrSchema.parse('169.254.0.0/16'),
    pattern: '^169[.]254[.]',
  },
  {
    name: 'multicast (224.0.0.0/4)',
    network: cidrSchema.parse('224.0.0.0/4'),
    pattern: '^(22[4-9]|23[0-9])[.]',
  },
  {
    name: 'reserved or broadcast (240.0.0.0/4)',
    network: cidrSchema.parse('240.0.0.0/4'),
    pattern: '^(24[0-9]|25[0-5])[.]',
  },
];

const REMEDY = "Give the address at which the consumer's WireGuard is reached from this host.";

const refusedRange = (text: string): RefusedRange | undefined => {
  const address = parseIpv4Address(text);
  return address === null
    ? undefined
    : REFUSED_ENDPOINT_RANGES.find(({ network }) => cidrContains(network, address));
};

const endpointAddressSchema = ipv4AddressSchema
  .refine((text) => refusedRange(text) === undefined, {
    error: ({ input }) =>
      `must be an address that a consumer can have, not one of ${refusedRange(String(input))?.name ?? 'these'}`,
    params: { remedy: REMEDY },
  })
  .meta({
    description:
      "IPv4 address of the consumer's WireGuard, as seen from the host. Not loopback, link-local, multicast or broadcast.",
    examples: ['203.0.113.10'],
    remedy:
      'Give the IPv4 address itself, for example 203.0.113.10: names are not resolved, and there are no IPv6 endpoints in this version.',
    'x-kubernetes-validations': REFUSED_ENDPOINT_RANGES.map(({ name, pattern }) => ({
      rule: `!self.matches('${pattern}')`,
      message: `must be an address that a consumer can have, not one of ${name}. ${REMEDY}`,
    })),
  });

/** The one place on the network that the VM may talk to, by UDP. */
export const consumerEndpointSchema = z.strictObject({
  address: endpointAddressSchema,
  port: portSchema.meta({ description: "UDP port of the consumer's WireGuard, 1 to 65535." }),
});

export type ConsumerEndpoint = z.infer<typeof consumerEndpointSchema>;
