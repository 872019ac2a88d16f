/**
 * Pairs of changes for every constraint that a schema states about a single field: what breaks it, and the nearest that does
 * not. Derived from the CRD, so a new field has its pairs by itself.
 */
import { changed, valueAt, type Changes } from './change.ts';
import type { ApiObject } from './full-objects.ts';
import { zodVerdict } from './verdict.ts';

export interface CrdSchema {
  readonly type: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, CrdSchema>>;
  readonly items?: CrdSchema;
  readonly additionalProperties?: CrdSchema;
  readonly [keyword: string]: unknown;
}

export interface FieldPair {
  readonly title: string;
  readonly refused: Changes;
  /** What the API server's message has to say: the bound, the choices, the type. */
  readonly says: RegExp;
  /** Empty: the object as it is. */
  readonly accepted: Changes;
}

const WRONG_TYPES: Readonly<Record<string, readonly unknown[]>> = {
  string: [5, true, {}, ['x']],
  integer: ['5', 5.5, true, {}],
  boolean: ['true', 1],
  array: ['x', {}],
  object: ['x', 5, ['x']],
};

/** Of everything below `path`, where `object` has a value for each field. */
export function fieldPairs(schema: CrdSchema, path: string, object: ApiObject): FieldPair[] {
  return [...pairsOf(schema, path, object), ...pairsBelow(schema, path, object)];
}

function pairsBelow(schema: CrdSchema, path: string, object: ApiObject): FieldPair[] {
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, child]) =>
    fieldPairs(child, `${path}.${name}`, object),
  );
  if (schema.items !== undefined) below.push(...fieldPairs(schema.items, `${path}[0]`, object));
  if (schema.additionalProperties !== undefined) {
    const [key = ''] = Object.keys(valueAt(object, path) as object);
    below.push(...fieldPairs(schema.additionalProperties, `${path}.${key}`, object));
  }
  return below;
}

function pairsOf(schema: CrdSchema, path: string, object: ApiObject): FieldPair[] {
  const value = valueAt(object, path);
  const pairs: FieldPair[] = [];
  const pair = (title: string, refused: unknown, says: RegExp, accepted?: unknown): void => {
    pairs.push({
      title: `${path}: ${title}`,
      refused: { [path]: refused },
      says,
      accepted: accepted === undefined ? {} : { [path]: accepted },
    });
  };
  for (const wrong of WRONG_TYPES[schema.type] ?? []) {
    pair(
      `${JSON.stringify(wrong)} is no ${schema.type}`,
      wrong,
      new RegExp(`must be of type ${schema.type}`),
    );
  }
  const { minimum, maximum, maxLength, minItems, maxItems, maxProperties, enum: choices } = schema;
  if (minimum !== undefined) {
    pair(`below ${minimum}`, minimum - 1, new RegExp(`greater than or equal to ${minimum}`), minimum);
  }
  if (maximum !== undefined) {
    // Numbers in the API server's messages are in Go's spelling.
    pair(`above ${maximum}`, maximum + 1, /less than or equal to [0-9.e+]+/, maximum);
  }
  if (choices !== undefined) {
    const says = new RegExp(`supported values: ${choices.map((choice) => `"${choice}"`).join(', ')}`);
    for (const wrong of ['', 'Other', String(value).toLowerCase(), `${String(value)} `]) {
      if (!choices.includes(wrong)) pair(`${JSON.stringify(wrong)} is no choice`, wrong, says);
    }
  }
  if (maxLength !== undefined) {
    const says = new RegExp(`Too long: may not be more than ${maxLength} bytes`);
    const longest = 'a'.repeat(maxLength);
    const fits = zodVerdict(changed(object, { [path]: longest })).accepted;
    pair(`longer than ${maxLength}`, `${longest}a`, says, fits ? longest : undefined);
  }
  if (maxItems !== undefined && schema.items !== undefined && schema.items.enum === undefined) {
    const items = (count: number) => Array.from({ length: count }, (_, i) => anotherItem(value, schema, i));
    const says = new RegExp(`Too many: ${maxItems + 1}: must have at most ${maxItems} items`);
    pair(`more than ${maxItems} entries`, items(maxItems + 1), says, items(maxItems));
  }
  if (minItems !== undefined) pair('no entry', [], /at least [0-9]+ items/);
  if (maxProperties !== undefined) {
    const [example] = Object.values(value as object) as unknown[];
    const entries = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, example]));
    const says = new RegExp(`must have at most ${maxProperties} items`);
    pair(`more than ${maxProperties} entries`, entries(maxProperties + 1), says, entries(maxProperties));
  }
  if (schema['x-kubernetes-list-type'] !== undefined) {
    const [first] = value as unknown[];
    pair('the same entry twice', [first, first], /Duplicate value/, [first]);
  }
  for (const name of schema.required ?? []) {
    pairs.push({
      title: `${path}: without ${name}`,
      refused: { [`${path}.${name}`]: undefined },
      says: /Required value/,
      accepted: {},
    });
  }
  if (schema.properties !== undefined) {
    pairs.push({
      title: `${path}: with an unknown field`,
      refused: { [`${path}.unknwon`]: 1 },
      says: /unknown field "[a-zA-Z0-9.[\]]*unknwon"/,
      accepted: {},
    });
  }
  return pairs;
}

/** Distinct entries after the pattern of the first one. */
function anotherItem(list: unknown, schema: CrdSchema, index: number): unknown {
  const [first] = list as unknown[];
  const [high, low] = [index >> 8, index & 255];
  if (typeof first === 'number') return index + 1;
  if (typeof first === 'object' && first !== null) {
    const [key] = (schema['x-kubernetes-list-map-keys'] as string[] | undefined) ?? [];
    return key === undefined ? first : { ...first, [key]: `${key}${index}` };
  }
  if (/^[0-9a-f]{8}-/.test(String(first))) return String(first).slice(0, -4) + String(1000 + index);
  if (/\/[0-9]+$/.test(String(first))) return `10.${high}.${low}.0/24`;
  if (/^[0-9.]+$/.test(String(first))) return `10.0.${high}.${low}`;
  return `${String(first)}-${index}`;
}
