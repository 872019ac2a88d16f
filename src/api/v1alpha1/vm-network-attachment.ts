import { z } from 'zod';
import { API_VERSION } from './group-version.ts';
import { namespacedMetadataSchema } from './metadata.ts';
import { vmNetworkAttachmentSpecSchema } from './vm-network-attachment-spec.ts';
import { vmNetworkAttachmentStatusSchema } from './vm-network-attachment-status.ts';

/** One network card of one VM, and what its host enforces there. Namespaced, written by the controller. */
export const vmNetworkAttachmentSchema = z
  .strictObject({
    apiVersion: z
      .literal(API_VERSION)
      .meta({ description: 'Group and version of the API.', examples: [API_VERSION] }),
    kind: z
      .literal('VMNetworkAttachment')
      .meta({ description: 'Kind of the object.', examples: ['VMNetworkAttachment'] }),
    metadata: namespacedMetadataSchema,
    spec: vmNetworkAttachmentSpecSchema.meta({
      description: 'Which network card, and what its host is to enforce there; written by the controller.',
      examples: [{ nodeName: 'node-3', vm: { id: 'rental-7f3a', name: 'rental-7f3a' } }],
    }),
    status: vmNetworkAttachmentStatusSchema.optional().meta({
      description: "What was seen on the host; written by the host's agent.",
      examples: [{ observedGeneration: 3, engine: 'tcx' }],
    }),
  })
  .meta({ description: 'A VMNetworkAttachment is what one host enforces for one network card of one VM.' });

export type VmNetworkAttachment = z.infer<typeof vmNetworkAttachmentSchema>;
export type VmNetworkAttachmentInput = z.input<typeof vmNetworkAttachmentSchema>;
export type { VmNetworkAttachmentSpec } from './vm-network-attachment-spec.ts';
export type { VmNetworkAttachmentStatus } from './vm-network-attachment-status.ts';
