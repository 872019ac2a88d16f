import { z } from 'zod';
import { dnsLabelSchema, dnsSubdomainSchema } from './dns-1123.ts';
import { annotationsSchema, labelsSchema } from './label.ts';

/** The part of Kubernetes' ObjectMeta that a manifest may carry. */
const common = {
  name: dnsSubdomainSchema.meta({ description: 'Name of the object.' }),
  labels: labelsSchema.optional().meta({ description: 'Labels.', examples: [{ team: 'blue' }] }),
  annotations: annotationsSchema
    .optional()
    .meta({ description: 'Annotations.', examples: [{ note: 'rack 4' }] }),
  creationTimestamp: z.iso
    .datetime({ offset: true, error: 'must be a time as in RFC 3339' })
    .optional()
    .meta({
      description:
        'When the object was made (RFC 3339). Of two networks that match one VM the older keeps it.',
      examples: ['2026-01-31T12:00:00Z'],
    }),
  generation: z
    .int()
    .min(1)
    .optional()
    .meta({ description: 'Moves with each change of spec.', examples: [3] }),
  uid: z
    .string()
    .max(128)
    .optional()
    .meta({ description: 'Identity of the object.', examples: ['6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11'] }),
};

export const namespacedMetadataSchema = z
  .strictObject({
    ...common,
    namespace: dnsLabelSchema
      .default('default')
      .meta({ description: 'Namespace of the object; `default` if absent.' }),
  })
  .meta({ description: 'Name and namespace.', examples: [{ name: 'rental-7f3a', namespace: 'tenant-a' }] });

export const clusterMetadataSchema = z
  .strictObject(common)
  .meta({ description: 'Name; the object has no namespace.', examples: [{ name: 'default' }] });

export type Metadata = z.infer<typeof namespacedMetadataSchema>;
