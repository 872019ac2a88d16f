import { z } from 'zod';
import { formedText } from './formed-text.ts';

/** Kubernetes label keys (`[PREFIX/]NAME`), label values and annotation keys (apimachinery, util/validation). */
const NAME = '[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?';
const prefix = (letters: string) => {
  const part = `[${letters}0-9]([-${letters}0-9]*[${letters}0-9])?`;
  return `(${part}([.]${part})*[/])?`;
};
const LABEL_KEY = `^${prefix('a-z')}${NAME}$`;
// Kubernetes folds the case of annotation keys before it looks at them.
const ANNOTATION_KEY = `^${prefix('A-Za-z')}${NAME}$`;
const MAX_PREFIX = 253;
const MAX_SELECTOR_LABELS = 32;
const MAX_REPORTED_LABELS = 64;
const KEY_FORM = 'must be a label key: [PREFIX/]NAME';

const keySchema = (pattern: string) =>
  z
    .string()
    .regex(new RegExp(pattern), KEY_FORM)
    .refine(
      (key) => key.indexOf('/') <= MAX_PREFIX,
      `${KEY_FORM}, PREFIX of at most ${MAX_PREFIX} characters`,
    );

const valueSchema = formedText({
  pattern: new RegExp(`^(${NAME})?$`),
  maxLength: 63,
  form: 'must be a label value: letters, digits, "-", "_", ".", at most 63 characters',
  remedy: 'Write it like blue, or leave it empty.',
}).meta({ description: 'Label value.', examples: ['blue'] });

/** Labels of an object. The API server has its own check for these. */
export const labelsSchema = z.record(keySchema(LABEL_KEY), valueSchema);
export const annotationsSchema = z.record(keySchema(ANNOTATION_KEY), z.string().max(262144));

/** Labels that a VM must carry. */
export const matchLabelsSchema = bounded(
  z.record(keySchema(LABEL_KEY), valueSchema),
  MAX_SELECTOR_LABELS,
).meta({
  'x-kubernetes-validations': [
    {
      rule: `self.all(key, key.matches('${LABEL_KEY}') && key.indexOf('/') <= ${MAX_PREFIX})`,
      message: `each key ${KEY_FORM}. Write for example example.com/team or team.`,
    },
  ],
});

/** Labels that a host found on a VM; keys as they are, for one odd key must not make the whole report invalid. */
export const reportedLabelsSchema = bounded(z.record(z.string(), valueSchema), MAX_REPORTED_LABELS);

function bounded<T extends z.ZodRecord>(labels: T, most: number): T {
  return labels
    .refine((map) => Object.keys(map as object).length <= most, {
      error: `must have at most ${most} labels`,
      params: { remedy: 'Remove labels that do not matter here.' },
    })
    .meta({ maxProperties: most });
}
