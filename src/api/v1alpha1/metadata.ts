import { z } from 'zod';
import { dnsLabelSchema, dnsSubdomainSchema } from './dns-1123.ts';
import { annotationsSchema, labelsSchema } from './label.ts';
import { timestampSchema } from './timestamp.ts';

const textSchema = z.string().max(253);

const ownerReferenceSchema = z.strictObject({
  apiVersion: textSchema,
  kind: textSchema,
  name: textSchema,
  uid: textSchema,
  controller: z.boolean().exactOptional(),
  blockOwnerDeletion: z.boolean().exactOptional(),
});

/**
 * Kubernetes' ObjectMeta, whole, so that what comes out of a cluster can be read back. The API server has its own checks for
 * it; `exactOptional` keeps the types assignable to those of `src/kube`.
 */
const common = {
  name: dnsSubdomainSchema.meta({ description: 'Name of the object.' }),
  labels: labelsSchema.exactOptional().meta({ description: 'Labels.', examples: [{ team: 'blue' }] }),
  annotations: annotationsSchema
    .exactOptional()
    .meta({ description: 'Annotations.', examples: [{ note: 'rack 4' }] }),
  creationTimestamp: timestampSchema.exactOptional().meta({
    description: 'When the object was made (RFC 3339). Of two networks that match one VM the older keeps it.',
    examples: ['2026-01-31T12:00:00Z'],
  }),
  generation: z
    .int()
    .min(1)
    .exactOptional()
    .meta({ description: 'Moves with each change of spec.', examples: [3] }),
  uid: z
    .string()
    .max(128)
    .exactOptional()
    .meta({ description: 'Identity of the object.', examples: ['6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11'] }),
  // What only a cluster has.
  resourceVersion: textSchema.exactOptional(),
  deletionTimestamp: timestampSchema.exactOptional(),
  deletionGracePeriodSeconds: z.int().exactOptional(),
  finalizers: z.array(textSchema).exactOptional(),
  ownerReferences: z.array(ownerReferenceSchema).exactOptional(),
  generateName: textSchema.exactOptional(),
  selfLink: z.string().exactOptional(),
  managedFields: z.array(z.unknown()).exactOptional(),
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
