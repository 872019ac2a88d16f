import { z } from 'zod';
import { cloudInitSchema } from './cloud-init.ts';
import { consumerEndpointSchema } from './consumer-endpoint.ts';
import { isMapping, withRules } from './cross-field-rule.ts';
import { dnsSubdomainSchema } from './dns-1123.ts';
import { limitsSchema } from './limits.ts';
import { modeSchema } from './mode.ts';
import { DEFAULT_RATE_PER_MILLION, samplingSchema } from './sampling.ts';
import { selectorSchema, selectsSomething } from './selector.ts';
import { violationSchema } from './violation.ts';
import { wireGuardSchema } from './wireguard.ts';

const fields = z.strictObject({
  className: dnsSubdomainSchema.default('default').meta({
    description: 'VMNetworkClass that sets the bounds for this network.',
    examples: ['default'],
    remedy: 'Write the name of a VMNetworkClass, for example default.',
  }),
  mode: modeSchema.default('Filtered').meta({
    description:
      'How much the host judges. Filtered: every packet. Conntrack: the first packet of a flow. Sampled: a random share. Direct: not whom the VM talks to, and Enforced is False (NotHostEnforced); a false sender and what nobody may reach are still dropped: what the class denies, other guests, the host, loopback, link-local, multicast and broadcast addresses.',
    examples: ['Filtered'],
  }),
  consumerEndpoint: consumerEndpointSchema.optional().meta({
    description: 'The one address and UDP port that the VM may talk to. Required unless mode is Direct.',
    examples: [{ address: '203.0.113.10', port: 51900 }],
  }),
  endpointGraceSeconds: z
    .int()
    .min(0)
    .max(3600)
    .default(0)
    .meta({
      description:
        'Seconds, 0 to 3600, that the previous endpoint stays allowed after a change; 0 refuses it at once.',
      examples: [30],
    }),
  selector: selectorSchema.meta({
    description:
      'Which VMs. All given parts must match; names, uuids or matchLabels has to name at least one.',
    examples: [{ names: ['rental-7f3a'] }],
  }),
  sampling: samplingSchema
    .optional()
    .meta({ description: 'Only with mode Sampled.', examples: [{ ratePerMillion: 10_000 }] }),
  violation: violationSchema.prefault({}).meta({
    description: 'What happens to a VM that sends what it may not.',
    examples: [{ action: 'Drop', threshold: 1, windowSeconds: 10 }],
  }),
  enforcement: z
    .enum(['Enforce', 'Audit'])
    .default('Enforce')
    .meta({
      description:
        'Audit counts what would be dropped for where it goes or comes from, and lets it pass; frames with a false sender are still dropped. The class must allow it.',
      examples: ['Enforce'],
    }),
  desiredState: z
    .enum(['Active', 'Quarantined'])
    .default('Active')
    .meta({
      description: 'Quarantined is the kill switch: nothing passes in either direction.',
      examples: ['Active'],
    }),
  limits: limitsSchema.prefault({}).meta({
    description: 'Rates for what leaves the VM, within the bounds of the class.',
    examples: [{ egressBitsPerSecond: 100_000_000, packetsPerSecond: 20_000 }],
  }),
  wireGuard: wireGuardSchema.prefault({}).meta({
    description: 'The tunnel inside the guest, and whether the filter demands its shape.',
    examples: [
      { peerPublicKey: 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=', addresses: ['10.99.0.2/32'] },
    ],
  }),
  cloudInit: cloudInitSchema.prefault({}).meta({
    description: 'How the guest is provisioned.',
    examples: [{ delivery: 'VendorData' }],
  }),
});

/** What a tenant asks for. Defaults are filled in; rules that tie fields together are checked here and in the CRD. */
export const vmNetworkSpecSchema = withRules(fields, [
  {
    path: ['consumerEndpoint'],
    // Never a silent fall back to Direct: a VM that lost its endpoint is denied, not open.
    holds: ({ mode, consumerEndpoint }) => mode === 'Direct' || consumerEndpoint !== undefined,
    cel: "self.mode == 'Direct' || has(self.consumerEndpoint)",
    message: 'is required in modes Filtered, Conntrack and Sampled',
    remedy:
      'Add consumerEndpoint with an address and a port, for example {address: 203.0.113.10, port: 51900}.',
  },
  {
    path: ['sampling'],
    holds: ({ mode, sampling }) => sampling === undefined || mode === 'Sampled',
    cel: "!has(self.sampling) || self.mode == 'Sampled'",
    message: 'is only valid with mode Sampled',
    remedy: 'Remove sampling, or set mode: Sampled.',
  },
  {
    path: ['selector'],
    holds: ({ selector }) => !isMapping(selector) || selectsSomething(selector),
    cel: 'size(self.selector.names) + size(self.selector.uuids) + size(self.selector.matchLabels) > 0',
    message: 'must select a VM by at least one of names, uuids and matchLabels',
    remedy: 'Add for example names: [rental-7f3a], the name given to QEMU with -name guest=.',
  },
  {
    path: ['enforcement'],
    holds: ({ mode, enforcement }) => mode !== 'Direct' || enforcement !== 'Audit',
    cel: "self.mode != 'Direct' || self.enforcement == 'Enforce'",
    message: 'must not be Audit with mode Direct, which never drops for an endpoint',
    remedy: 'Remove enforcement, or choose mode Filtered to audit what it would drop.',
  },
  {
    path: ['violation', 'action'],
    holds: ({ mode, violation }) =>
      mode !== 'Direct' || !isMapping(violation) || violation['action'] === undefined,
    cel: "self.mode != 'Direct' || !has(self.violation.action)",
    message: 'has no meaning with mode Direct, where nothing follows a violation but the drop',
    remedy: 'Remove violation.action, or choose another mode.',
  },
  {
    path: ['wireGuard', 'addresses'],
    holds: ({ wireGuard }) =>
      !isMapping(wireGuard) ||
      wireGuard['peerPublicKey'] === undefined ||
      !Array.isArray(wireGuard['addresses']) ||
      wireGuard['addresses'].length > 0,
    cel: '!has(self.wireGuard.peerPublicKey) || size(self.wireGuard.addresses) > 0',
    message: 'must not be empty with wireGuard.peerPublicKey: a tunnel without an address carries nothing',
    remedy: "Add the VM's address inside the tunnel, for example addresses: [10.99.0.2/32].",
  },
]);

/** As read, with defaults applied. */
export type VmNetworkSpec = z.infer<typeof vmNetworkSpecSchema>;
/** As written: what has a default may be absent. */
export type VmNetworkSpecInput = z.input<typeof vmNetworkSpecSchema>;

/** Share of packets judged, out of a million. */
export function effectiveRatePerMillion(spec: Pick<VmNetworkSpec, 'mode' | 'sampling'>): number {
  return spec.mode === 'Sampled' ? (spec.sampling?.ratePerMillion ?? DEFAULT_RATE_PER_MILLION) : 1_000_000;
}
