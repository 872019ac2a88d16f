import { z } from 'zod';
import { consumerEndpointSchema } from './consumer-endpoint.ts';
import { dnsSubdomainSchema } from './dns-1123.ts';
import { API_VERSION } from './group-version.ts';
import { ipv4AddressSchema } from './ipv4-address.ts';
import { limitsSchema } from './limits.ts';
import { macAddressSchema } from './mac-address.ts';
import { modeSchema } from './mode.ts';
import { samplingSchema } from './sampling.ts';
import { vmNameSchema } from './selector.ts';
import { violationSchema } from './violation.ts';

const previousEndpointSchema = consumerEndpointSchema.extend({
  until: z.iso.datetime({ offset: true, error: 'must be a time as in RFC 3339' }).meta({
    description: 'When it stops being allowed (RFC 3339).',
    examples: ['2026-01-31T12:00:30Z'],
  }),
});

/** What a VMNetwork and its class come to for one network card. Fields mean what they mean in a VMNetwork. */
const resolvedPolicySchema = z.strictObject({
  network: dnsSubdomainSchema
    .optional()
    .meta({ description: 'The VMNetwork, of the same namespace, that this comes from.' }),
  mode: modeSchema
    .exclude(['Direct'])
    .default('Filtered')
    .meta({ description: 'How much the host judges.', examples: ['Filtered'] }),
  enforcement: z
    .enum(['Enforce', 'Audit'])
    .default('Enforce')
    .meta({ description: 'Audit counts what would be dropped, and lets it pass.', examples: ['Enforce'] }),
  desiredState: z
    .enum(['Active', 'Quarantined'])
    .default('Active')
    .meta({ description: 'Quarantined: nothing passes.', examples: ['Active'] }),
  consumerEndpoint: consumerEndpointSchema.meta({
    description: 'The one address and UDP port that the VM may talk to.',
    examples: [{ address: '203.0.113.10', port: 51900 }],
  }),
  previousEndpoint: previousEndpointSchema.optional().meta({
    description: 'The endpoint before the last change, and how long it stays allowed.',
    examples: [{ address: '198.51.100.7', port: 51820, until: '2026-01-31T12:00:30Z' }],
  }),
  guestAddress: ipv4AddressSchema
    .optional()
    .meta({ description: "The guest's IPv4 address, given by its host.", examples: ['100.64.0.5'] }),
  gatewayAddress: ipv4AddressSchema
    .default('169.254.1.1' as z.infer<typeof ipv4AddressSchema>)
    .meta({ description: "The guest's gateway, answered by the filter.", examples: ['169.254.1.1'] }),
  gatewayMac: macAddressSchema
    .default('02:76:6d:6e:00:01' as z.infer<typeof macAddressSchema>)
    .meta({ description: 'MAC of that gateway.', examples: ['02:76:6d:6e:00:01'] }),
  strictWireGuard: z
    .boolean()
    .default(true)
    .meta({ description: 'Only WireGuard-shaped datagrams pass.', examples: [true] }),
  sampling: samplingSchema
    .optional()
    .meta({ description: 'Only with mode Sampled.', examples: [{ ratePerMillion: 10_000 }] }),
  limits: limitsSchema
    .prefault({})
    .meta({ description: 'Rates for what leaves the VM.', examples: [{ packetsPerSecond: 20_000 }] }),
  violation: violationSchema.prefault({}).meta({
    description: 'What happens to a VM that sends what it may not.',
    examples: [{ action: 'Drop' }],
  }),
});

/** One network card of one VM, and what its host enforces there. Namespaced, written by the controller. */
export const vmNetworkAttachmentSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal('VMNetworkAttachment'),
    // As it comes out of a cluster: with owners, managers and whatever else the API server keeps there.
    metadata: z.looseObject({ name: dnsSubdomainSchema, namespace: dnsSubdomainSchema.default('default') }),
    spec: z.strictObject({
      nodeName: dnsSubdomainSchema.meta({ description: 'The host of the VM.', examples: ['node-3'] }),
      vm: z
        .strictObject({
          name: vmNameSchema,
          uuid: z.string().max(64).optional().meta({ description: 'SMBIOS UUID of the VM.' }),
        })
        .meta({ description: 'The VM.', examples: [{ name: 'rental-7f3a' }] }),
      interface: z
        .strictObject({
          mac: macAddressSchema,
          name: z.string().max(64).optional().meta({ description: 'Interface on the host.' }),
        })
        .meta({ description: 'Its network card.', examples: [{ mac: '02:76:1f:00:a2:4c' }] }),
      policy: resolvedPolicySchema.meta({
        description: 'What is enforced.',
        examples: [
          { consumerEndpoint: { address: '203.0.113.10', port: 51900 }, guestAddress: '100.64.0.5' },
        ],
      }),
      generation: z.int().min(1).default(1).meta({ description: 'Moves with each change of policy.' }),
      hash: z
        .string()
        .regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits')
        .optional()
        .meta({ description: 'SHA-256 of the policy as the host writes it.' }),
    }),
    status: z.looseObject({}).optional(),
  })
  .meta({ description: 'A VMNetworkAttachment is what one host enforces for one network card of one VM.' });

export type VmNetworkAttachment = z.infer<typeof vmNetworkAttachmentSchema>;
