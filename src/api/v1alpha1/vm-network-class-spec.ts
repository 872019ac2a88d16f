import { z } from 'zod';
import { networkCidrSchema } from './cidr.ts';
import type { Cidr } from './cidr.ts';
import { REFUSED_ENDPOINT_RANGES } from './consumer-endpoint.ts';
import { isMapping, withRules } from './cross-field-rule.ts';
import { LIMIT_FIELDS, limitsSchema } from './limits.ts';
import { modeSchema } from './mode.ts';
import { portSchema } from './port.ts';
import { uniqueItems } from './unique-items.ts';
import { violationActionSchema } from './violation.ts';

const ALWAYS_DENIED: Cidr[] = REFUSED_ENDPOINT_RANGES.map(({ network }) => network);

const deniedDestinationsSchema = z.strictObject({
  networks: uniqueItems(networkCidrSchema, 256)
    .default(ALWAYS_DENIED)
    .meta({
      description:
        'Networks that no tenant may name as endpoint and no VM of mode Direct reaches, each once, at most 256; for more name larger networks. Those of the default are denied in mode Direct even where they are left out.',
      examples: [['198.51.100.0/24']],
    }),
  clusterRanges: z
    .boolean()
    .default(true)
    .meta({ description: "Deny this cluster's node addresses, pod and service ranges.", examples: [true] }),
  privateRanges: z
    .boolean()
    .default(false)
    .meta({ description: 'Deny 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16 (RFC 1918).', examples: [true] }),
  sharedRange: z
    .boolean()
    .default(false)
    .meta({ description: 'Deny 100.64.0.0/10 (carrier-grade NAT, RFC 6598).', examples: [true] }),
});

const classLimitsSchema = withRules(
  z.strictObject({
    default: limitsSchema.prefault({}).meta({
      description: 'For networks that say nothing; 0 for no limit.',
      examples: [{ packetsPerSecond: 20_000 }],
    }),
    maximum: limitsSchema.prefault({}).meta({
      description: 'Most that a network may ask for; 0 for no bound.',
      examples: [{ packetsPerSecond: 50_000 }],
    }),
  }),
  LIMIT_FIELDS.map((field) => ({
    path: ['default', field],
    holds: ({ default: normal, maximum }) => {
      if (!isMapping(normal) || !isMapping(maximum)) return true;
      const bound = Number(maximum[field]);
      const value = Number(normal[field]);
      return !(bound > 0) || !(value > bound);
    },
    // The API server checks the default `{}` of limits before it fills in the defaults within.
    cel: [
      `!has(self.maximum) || !has(self.maximum.${field}) || self.maximum.${field} == 0`,
      `!has(self.default) || !has(self.default.${field}) || self.default.${field} <= self.maximum.${field}`,
    ].join(' || '),
    message: `must be at most maximum.${field}`,
    remedy: `Lower default.${field}, or raise maximum.${field}.`,
  })),
);

export const vmNetworkClassSpecSchema = z.strictObject({
  allowedModes: uniqueItems(modeSchema, 4)
    .min(1)
    .default(['Filtered', 'Conntrack', 'Sampled'])
    .meta({
      description:
        'Modes that a network may use. Direct is allowed only if it is named here: its VMs reach everybody but the host, other guests and what is denied.',
      examples: [['Filtered', 'Conntrack']],
    }),
  deniedDestinations: deniedDestinationsSchema.prefault({}).meta({
    description: 'Endpoints that no tenant may name. In mode Direct they are what no VM reaches.',
    examples: [{ privateRanges: true }],
  }),
  deniedPorts: uniqueItems(portSchema, 1024)
    .default([])
    .meta({
      description:
        'UDP ports that no tenant may name, each once, at most 1024; for more deny the destinations.',
      examples: [[53, 123]],
    }),
  limits: classLimitsSchema.prefault({}).meta({
    description: 'Default and largest rates.',
    examples: [{ default: { packetsPerSecond: 20_000 }, maximum: { packetsPerSecond: 50_000 } }],
  }),
  vmOwnership: z
    .enum(['Namespace', 'NamespaceIfReported', 'Any'])
    .default('NamespaceIfReported')
    .meta({
      description:
        'Which VMs a network may bind of those that its selector matches. Namespace: only VMs whose host reports them in the namespace of the network (KubeVirt). NamespaceIfReported: these, and VMs whose host reports no namespace. Any: all.',
      examples: ['Namespace'],
    }),
  allowAudit: z
    .boolean()
    .default(false)
    .meta({
      description:
        'Whether a network may use enforcement: Audit, which lets a VM reach everything that the host reaches.',
      examples: [false],
    }),
  allowNonStrict: z
    .boolean()
    .default(false)
    .meta({ description: 'Whether a network may set wireGuard.strict: false.', examples: [false] }),
  maximumViolationAction: violationActionSchema
    .default('Terminate')
    .meta({ description: 'Most severe action that a network may ask for.', examples: ['Quarantine'] }),
});

export type VmNetworkClassSpec = z.infer<typeof vmNetworkClassSpecSchema>;
