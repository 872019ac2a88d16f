import type { FieldNode } from '../field-guide.ts';

/** A schema as a CRD may carry it: "structural" (Kubernetes API reference, JSONSchemaProps). */
export type StructuralSchema = Readonly<Record<string, unknown>>;

/** Keywords that mean the same in both. What is in neither list is an error: nothing is lost without notice. */
const KEPT = [
  'type',
  'format',
  'description',
  'default',
  'enum',
  'pattern',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'required',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-validations',
] as const;

const TRANSLATED = ['examples', 'remedy', 'properties', 'items', 'additionalProperties', 'propertyNames'];

/**
 * Translates one schema node. `examples` becomes `example`; `additionalProperties: false` goes, since the API server
 * prunes unknown fields by itself and clients ask for strict field validation; names of map keys cannot be constrained.
 */
export function structural(node: FieldNode, place: string): StructuralSchema {
  const result: Record<string, unknown> = {};
  for (const keyword of Object.keys(node)) {
    if (!(KEPT as readonly string[]).includes(keyword) && !TRANSLATED.includes(keyword)) {
      throw new Error(`${place}: no rule for the schema keyword "${keyword}"`);
    }
  }
  for (const keyword of KEPT) {
    if (node[keyword] !== undefined) result[keyword] = node[keyword];
  }
  if (node.type === 'integer') result['format'] = 'int64';
  // The pattern that zod gives for a time is longer than the file; the format says it.
  if (node['format'] === 'date-time') delete result['pattern'];
  if (node.examples !== undefined) result['example'] = node.examples[0];
  if (node.properties !== undefined) {
    result['properties'] = Object.fromEntries(
      Object.entries(node.properties).map(([name, child]) => [name, structural(child, `${place}.${name}`)]),
    );
  }
  if (node.items !== undefined) result['items'] = structural(node.items, `${place}[]`);
  if (typeof node.additionalProperties === 'object') {
    result['additionalProperties'] = structural(node.additionalProperties, `${place}{}`);
  }
  return result;
}
