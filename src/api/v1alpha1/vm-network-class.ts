import { z } from 'zod';
import { networkCidrSchema } from './cidr.ts';
import { API_VERSION } from './group-version.ts';
import { clusterMetadataSchema } from './metadata.ts';
import { uniqueItems } from './unique-items.ts';
import { vmNetworkClassSpecSchema } from './vm-network-class-spec.ts';

/** What the class means in this cluster. */
const vmNetworkClassStatusSchema = z.strictObject({
  clusterRanges: uniqueItems(networkCidrSchema, 4096)
    .optional()
    .meta({
      description:
        "This cluster's node addresses, pod and service ranges, sorted and collapsed, at most 4096: what deniedDestinations.clusterRanges denies.",
      examples: [['10.96.0.0/12', '10.244.0.0/16']],
    }),
});

/** The provider's guardrail for what tenants may ask for. Cluster-wide. */
export const vmNetworkClassSchema = z
  .strictObject({
    apiVersion: z
      .literal(API_VERSION)
      .meta({ description: 'Group and version of the API.', examples: [API_VERSION] }),
    kind: z
      .literal('VMNetworkClass')
      .meta({ description: 'Kind of the object.', examples: ['VMNetworkClass'] }),
    metadata: clusterMetadataSchema,
    spec: vmNetworkClassSpecSchema.prefault({}).meta({
      description: 'Bounds for the networks of this class.',
      examples: [{ allowedModes: ['Filtered'], deniedDestinations: { privateRanges: true } }],
    }),
    status: vmNetworkClassStatusSchema.optional().meta({
      description: 'What was found in this cluster; written by the controller.',
      examples: [{ clusterRanges: ['10.96.0.0/12'] }],
    }),
  })
  .meta({
    description:
      'A VMNetworkClass is the guardrail of the provider: what tenants may ask for, checked twice.',
  });

export type VmNetworkClass = z.infer<typeof vmNetworkClassSchema>;
export type VmNetworkClassInput = z.input<typeof vmNetworkClassSchema>;
export type VmNetworkClassStatus = z.infer<typeof vmNetworkClassStatusSchema>;
export type { VmNetworkClassSpec } from './vm-network-class-spec.ts';

/** The class `default` as it is where nobody declared one: all defaults. */
export function builtInClass(): VmNetworkClass {
  return vmNetworkClassSchema.parse({
    apiVersion: API_VERSION,
    kind: 'VMNetworkClass',
    metadata: { name: 'default' },
  });
}
