import { z } from 'zod';
import { API_VERSION } from './group-version.ts';
import { clusterMetadataSchema } from './metadata.ts';
import { vmNetworkClassSpecSchema } from './vm-network-class-spec.ts';

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
  })
  .meta({
    description:
      'A VMNetworkClass is the guardrail of the provider: what tenants may ask for, checked twice.',
  });

export type VmNetworkClass = z.infer<typeof vmNetworkClassSchema>;
export type VmNetworkClassInput = z.input<typeof vmNetworkClassSchema>;
export type { VmNetworkClassSpec } from './vm-network-class-spec.ts';

/** The class `default` as it is where nobody declared one: all defaults. */
export function builtInClass(): VmNetworkClass {
  return vmNetworkClassSchema.parse({
    apiVersion: API_VERSION,
    kind: 'VMNetworkClass',
    metadata: { name: 'default' },
  });
}
