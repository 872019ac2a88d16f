/** Specs drawn from a CRD's schema: what is right by itself, then bent in a place or two. */
import fc from 'fast-check';
import type { CrdSchema } from './field-pairs.ts';
import { casesOf, rulesOf } from './text-rules.ts';

/** Each field is right by itself; rules that tie fields together hold by chance. */
export function rightSpec(schema: CrdSchema): fc.Arbitrary<unknown> {
  const { type, enum: choices, minimum = 0, maximum = 100, maxItems = 4, properties } = schema;
  if (choices !== undefined) return fc.constantFrom(...choices);
  if (type === 'boolean') return fc.boolean();
  if (type === 'integer') {
    return fc.oneof(fc.constantFrom(minimum, maximum), fc.integer({ min: minimum, max: maximum }));
  }
  if (type === 'array' && schema.items !== undefined) {
    return fc.uniqueArray(rightSpec(schema.items), { maxLength: Math.min(maxItems, 4) });
  }
  if (properties !== undefined) {
    const fields = Object.entries(properties).map(([name, child]) => [name, rightSpec(child)] as const);
    return fc.record(Object.fromEntries(fields), { requiredKeys: [...(schema.required ?? [])] });
  }
  // Several rules for one text: what one accepts, another may refuse; the judges have to agree all the same.
  const accepted = rulesOf(schema).flatMap((rule) => casesOf(rule)?.accepted ?? []);
  return accepted.length === 0 ? fc.constant('x') : fc.constantFrom(...accepted);
}

const BENT: readonly unknown[] = [
  null,
  '',
  'x',
  'null',
  '0',
  ' ',
  '\u0000',
  '010.0.0.1',
  '::ffff:1.2.3.4',
  '127.0.0.1',
  '10.0.0.1/8',
  0,
  -1,
  1.5,
  1e21,
  65536,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 63,
  true,
  false,
  [],
  [null],
  ['x', 'x'],
  ['x', null],
  [['x']],
  {},
  { x: null },
  { x: 'y' },
  { 'a b': 'c' },
];

type Bend = (node: Record<string, unknown>, key: string) => void;

const bend: fc.Arbitrary<Bend> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...BENT).map((value): Bend => set(() => structuredClone(value))) },
  { weight: 2, arbitrary: fc.constant<Bend>(remove) },
  { weight: 1, arbitrary: fc.constant<Bend>(set((value) => [value, value])) },
  { weight: 1, arbitrary: fc.constant<Bend>(set(String)) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }).map((text): Bend => set(() => text)) },
  { weight: 1, arbitrary: fc.constant<Bend>(addUnknown) },
);

function remove(node: Record<string, unknown>, key: string): void {
  Reflect.deleteProperty(node, key);
}

function addUnknown(node: Record<string, unknown>): void {
  if (!Array.isArray(node)) node['unknwon'] = 1;
}

function set(change: (value: unknown) => unknown): Bend {
  return (node, key) => {
    node[key] = change(node[key]);
  };
}

/** A right spec with up to two bends. */
export function bentSpec(schema: CrdSchema): fc.Arbitrary<unknown> {
  const bends = fc.array(fc.tuple(bend, fc.nat()), { maxLength: 2 });
  return fc.tuple(rightSpec(schema), bends).map(([right, some]) => {
    const spec = JSON.parse(JSON.stringify(right)) as unknown;
    for (const [change, place] of some) {
      const places = placesIn(spec);
      const [node, key] = places[place % Math.max(1, places.length)] ?? [];
      if (node !== undefined && key !== undefined) change(node, key);
    }
    return JSON.parse(JSON.stringify(spec)) as unknown;
  });
}

function placesIn(value: unknown): [Record<string, unknown>, string][] {
  if (typeof value !== 'object' || value === null) return [];
  const node = value as Record<string, unknown>;
  return Object.keys(node).flatMap((key) => [[node, key], ...placesIn(node[key])]);
}

/** What the API server makes of null in a field that its schema knows: nothing. Elsewhere a null stays. */
export function withoutNulls(value: unknown, schema: CrdSchema | undefined): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutNulls(item, schema?.items));
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).flatMap(([key, child]) => {
    const known = Object.hasOwn(schema?.properties ?? {}, key)
      ? schema?.properties?.[key]
      : schema?.additionalProperties;
    return child === null && known !== undefined ? [] : [[key, withoutNulls(child, known)] as const];
  });
  return Object.fromEntries(kept);
}
