import { z } from 'zod';
import { cloudInitSchema } from './cloud-init.ts';
import { consumerEndpointSchema } from './consumer-endpoint.ts';
import { withRules } from './cross-field-rule.ts';
import { dnsSubdomainSchema } from './dns-1123.ts';
import { ipv4AddressSchema } from './ipv4-address.ts';
import { limitsSchema } from './limits.ts';
import { macAddressSchema } from './mac-address.ts';
import { modeSchema } from './mode.ts';
import { samplingSchema } from './sampling.ts';
import { timestampSchema } from './timestamp.ts';
import { violationSchema } from './violation.ts';
import { wireGuardSchema } from './wireguard.ts';

const previousEndpointSchema = consumerEndpointSchema.extend({
  until: timestampSchema.meta({
    description: 'When it stops being allowed (RFC 3339).',
    examples: ['2026-01-31T12:00:30Z'],
  }),
});

/** What the guest is provisioned with. Whether the filter demands WireGuard's shape is `strictWireGuard`. */
const tunnelSchema = wireGuardSchema.pick({
  peerPublicKey: true,
  addresses: true,
  allowedIPs: true,
  dns: true,
  persistentKeepaliveSeconds: true,
  mtu: true,
});

const fields = z.strictObject({
  network: dnsSubdomainSchema.meta({
    description: 'The VMNetwork, of the same namespace, that this comes from.',
    'x-kubernetes-validations': [
      {
        rule: 'self == oldSelf',
        message:
          'must not change: an attachment belongs to one VMNetwork for ever. Delete it; the controller makes another.',
      },
    ],
  }),
  className: dnsSubdomainSchema.default('default').meta({
    description: 'The VMNetworkClass whose bounds it was resolved with; the agent asks it again.',
    examples: ['default'],
  }),
  mode: modeSchema.default('Filtered').meta({
    description:
      'How much the host judges. Direct: not whom the VM talks to, but for what the class denies, what all classes deny, other guests and the host.',
    examples: ['Filtered'],
  }),
  enforcement: z
    .enum(['Enforce', 'Audit'])
    .default('Enforce')
    .meta({ description: 'Audit counts what would be dropped, and lets it pass.', examples: ['Enforce'] }),
  desiredState: z
    .enum(['Active', 'Quarantined'])
    .default('Active')
    .meta({ description: 'Quarantined: nothing passes.', examples: ['Active'] }),
  consumerEndpoint: consumerEndpointSchema.optional().meta({
    description: 'The one address and UDP port that the VM may talk to. Required unless mode is Direct.',
    examples: [{ address: '203.0.113.10', port: 51900 }],
  }),
  previousEndpoint: previousEndpointSchema.optional().meta({
    description: 'The endpoint before the last change, and how long it stays allowed.',
    examples: [{ address: '198.51.100.7', port: 51820, until: '2026-01-31T12:00:30Z' }],
  }),
  strictWireGuard: z
    .boolean()
    .default(true)
    .meta({ description: 'Only WireGuard-shaped datagrams pass.', examples: [true] }),
  sampling: samplingSchema
    .optional()
    .meta({ description: 'Only with mode Sampled.', examples: [{ ratePerMillion: 10_000 }] }),
  limits: limitsSchema.prefault({}).meta({
    description: 'Rates for what leaves the VM, defaults of the class included.',
    examples: [{ packetsPerSecond: 20_000 }],
  }),
  violation: violationSchema.prefault({}).meta({
    description: 'What happens to a VM that sends what it may not.',
    examples: [{ action: 'Drop' }],
  }),
  guestAddress: ipv4AddressSchema.optional().meta({
    description: "The guest's IPv4 address; absent: its host chooses one.",
    examples: ['100.64.0.5'],
  }),
  gatewayAddress: ipv4AddressSchema
    .default('169.254.1.1' as z.infer<typeof ipv4AddressSchema>)
    .meta({ description: "The guest's gateway, answered by the filter.", examples: ['169.254.1.1'] }),
  gatewayMac: macAddressSchema
    .default('02:76:6d:6e:00:01' as z.infer<typeof macAddressSchema>)
    .meta({ description: 'MAC of that gateway.', examples: ['02:76:6d:6e:00:01'] }),
  wireGuard: tunnelSchema.optional().meta({
    description: 'The tunnel inside the guest.',
    examples: [
      { peerPublicKey: 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=', addresses: ['10.99.0.2/32'] },
    ],
  }),
  cloudInit: cloudInitSchema
    .prefault({})
    .meta({ description: 'How the guest is provisioned.', examples: [{ delivery: 'VendorData' }] }),
});

/** What a VMNetwork and its class come to for one network card. Fields mean what they mean in a VMNetwork. */
export const resolvedPolicySchema = withRules(fields, [
  {
    path: ['consumerEndpoint'],
    holds: ({ mode, consumerEndpoint }) => mode === 'Direct' || consumerEndpoint !== undefined,
    cel: "self.mode == 'Direct' || has(self.consumerEndpoint)",
    message: 'is required in modes Filtered, Conntrack and Sampled',
    remedy: 'Add consumerEndpoint with an address and a port, as the VMNetwork has it.',
  },
  {
    path: ['previousEndpoint'],
    holds: ({ consumerEndpoint, previousEndpoint }) =>
      previousEndpoint === undefined || consumerEndpoint !== undefined,
    cel: '!has(self.previousEndpoint) || has(self.consumerEndpoint)',
    message: 'has no meaning without consumerEndpoint',
    remedy: 'Remove previousEndpoint.',
  },
  {
    path: ['sampling'],
    holds: ({ mode, sampling }) => sampling === undefined || mode === 'Sampled',
    cel: "!has(self.sampling) || self.mode == 'Sampled'",
    message: 'is only valid with mode Sampled',
    remedy: 'Remove sampling, or set mode: Sampled.',
  },
]);

/** As read, with defaults applied. */
export type ResolvedPolicy = z.infer<typeof resolvedPolicySchema>;
