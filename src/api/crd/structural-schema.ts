import { stringify } from 'yaml';
import type { FieldNode } from '../field-guide.ts';

/** A schema as a CRD may carry it: "structural" (Kubernetes API reference, JSONSchemaProps). */
export type StructuralSchema = Readonly<Record<string, unknown>>;

/** Keywords that mean the same in both. What is in neither list is an error: nothing is lost without notice. */
const KEPT = [
  'type',
  'format',
  'default',
  'enum',
  'pattern',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'maxProperties',
  'required',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
] as const;

const TRANSLATED = [
  'description',
  'examples',
  'form',
  'remedy',
  'properties',
  'items',
  'additionalProperties',
  'propertyNames',
  'x-kubernetes-validations',
];

/** Who writes what a schema describes: people, who need messages, or our own programs. */
export type Author = 'people' | 'programs';

/**
 * Translates one schema node. `examples` becomes `example` and a part of the description, for `kubectl explain` shows
 * nothing else; `additionalProperties: false` goes, since the API server prunes unknown fields by itself and clients ask
 * for strict field validation; names of map keys are constrained by a CEL rule where their schema has one.
 */
export function structural(node: FieldNode, place: string, author: Author = 'people'): StructuralSchema {
  const result: Record<string, unknown> = {};
  for (const keyword of Object.keys(node)) {
    if (!(KEPT as readonly string[]).includes(keyword) && !TRANSLATED.includes(keyword)) {
      throw new Error(`${place}: no rule for the schema keyword "${keyword}"`);
    }
  }
  const { type, ...kept } = Object.fromEntries(KEPT.map((keyword) => [keyword, node[keyword]]));
  Object.assign(result, { type, description: describe(node) });
  for (const [keyword, value] of Object.entries(kept)) if (value !== undefined) result[keyword] = value;
  if (node.type === 'integer') result['format'] = 'int64';
  const rules = [...(node['x-kubernetes-validations'] ?? [])];
  if (author === 'people' && node.form !== undefined && node.pattern !== undefined) {
    delete result['pattern'];
    rules.unshift(formRule(node.pattern, node.form, node.remedy ?? '', place));
  }
  if (rules.length > 0) result['x-kubernetes-validations'] = rules;
  if (result['description'] === undefined) delete result['description'];
  if (node.examples !== undefined) result['example'] = node.examples[0];
  if (node.properties !== undefined) {
    result['properties'] = Object.fromEntries(
      Object.entries(node.properties).map(([name, child]) => [
        name,
        structural(child, `${place}.${name}`, author),
      ]),
    );
  }
  if (node.items !== undefined) result['items'] = structural(node.items, `${place}[]`, author);
  if (typeof node.additionalProperties === 'object') {
    result['additionalProperties'] = structural(node.additionalProperties, `${place}{}`, author);
  }
  return result;
}

/** A pattern as CEL, so that what it says when it fails is a sentence with a remedy. */
function formRule(pattern: string, form: string, remedy: string, place: string): object {
  if (/['\\]/.test(pattern))
    throw new Error(`${place}: a pattern with ' or \\ needs quoting in CEL: ${pattern}`);
  return { rule: `self.matches('${pattern}')`, message: `${form}. ${remedy}`.trim() };
}

function describe({ description, default: value, examples }: FieldNode): string | undefined {
  if (description === undefined) return undefined;
  const ended = /[.!?]$/.test(description) ? description : `${description}.`;
  const byDefault = isShown(value) ? ` Default: ${inline(value)}.` : '';
  const example = examples?.[0];
  return `${ended}${byDefault}${example === undefined ? '' : ` Example: ${inline(example)}`}`;
}

/** What a default of `{}` comes to is told by the fields within. */
function isShown(value: unknown): boolean {
  return value !== undefined && JSON.stringify(value) !== '{}';
}

function inline(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 }).trim();
}
