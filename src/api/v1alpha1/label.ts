import { z } from 'zod';

/** Kubernetes label keys (`[PREFIX/]NAME`), label values and annotation keys. */
const NAME = '[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?';
const PREFIX = '([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?[/])?';

const keySchema = z.string().regex(new RegExp(`^${PREFIX}${NAME}$`), 'must be a label key: [PREFIX/]NAME');

const valueSchema = z
  .string()
  .max(63)
  .regex(
    new RegExp(`^(${NAME})?$`),
    'must be a label value: letters, digits, "-", "_", ".", at most 63 characters',
  )
  .meta({ description: 'Label value.', examples: ['blue'] });

export const labelsSchema = z.record(keySchema, valueSchema);
export const annotationsSchema = z.record(keySchema, z.string().max(262144));
