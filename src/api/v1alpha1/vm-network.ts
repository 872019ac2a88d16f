import { z } from 'zod';
import { API_VERSION } from './group-version.ts';
import { namespacedMetadataSchema } from './metadata.ts';
import { vmNetworkSpecSchema } from './vm-network-spec.ts';
import { vmNetworkStatusSchema } from './vm-network-status.ts';

/** A tenant's wish: these VMs may talk to this one endpoint. Namespaced. */
export const vmNetworkSchema = z
  .strictObject({
    apiVersion: z
      .literal(API_VERSION)
      .meta({ description: 'Group and version of the API.', examples: [API_VERSION] }),
    kind: z.literal('VMNetwork').meta({ description: 'Kind of the object.', examples: ['VMNetwork'] }),
    metadata: namespacedMetadataSchema,
    spec: vmNetworkSpecSchema.meta({
      description: 'Which VMs, and the one endpoint that they may talk to.',
      examples: [
        { consumerEndpoint: { address: '203.0.113.10', port: 51900 }, selector: { names: ['rental-7f3a'] } },
      ],
    }),
    status: vmNetworkStatusSchema.optional().meta({
      description: 'What was seen; written by the controller.',
      examples: [{ observedGeneration: 3 }],
    }),
  })
  .meta({
    description:
      'A VMNetwork says which VMs may talk to which one endpoint; the hosts enforce it and prove it.',
  });

export type VmNetwork = z.infer<typeof vmNetworkSchema>;
export type VmNetworkInput = z.input<typeof vmNetworkSchema>;
export type { VmNetworkSpec, VmNetworkSpecInput } from './vm-network-spec.ts';
export type { VmNetworkStatus } from './vm-network-status.ts';
