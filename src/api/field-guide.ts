import { z } from 'zod';
import type { FieldPath } from './field-path.ts';
import { formatFieldPath } from './field-path.ts';

/** What a schema says about one field, for messages and for the CRD. */
export interface FieldNode {
  readonly type?: string;
  readonly description?: string;
  readonly examples?: readonly unknown[];
  /** Our own: what the text must be like ("must be …"), and what to do if the field is wrong. */
  readonly form?: string;
  readonly remedy?: string;
  readonly pattern?: string;
  readonly default?: unknown;
  readonly 'x-kubernetes-validations'?: readonly unknown[];
  readonly properties?: Readonly<Record<string, FieldNode>>;
  readonly required?: readonly string[];
  readonly items?: FieldNode;
  readonly additionalProperties?: FieldNode | boolean;
  readonly [keyword: string]: unknown;
}

/** The schema as data, as one writes the object (before defaults). */
export function describeSchema(schema: z.ZodType): FieldNode {
  return z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }) as FieldNode;
}

/** Finds what a schema says about a path, so that an error can tell what belongs there. */
export class FieldGuide {
  readonly #root: FieldNode;

  constructor(schema: z.ZodType) {
    this.#root = describeSchema(schema);
  }

  /** The node at `path`, or undefined where the schema has no such field. */
  at(path: FieldPath): FieldNode | undefined {
    return path.reduce<FieldNode | undefined>(step, this.#root);
  }

  /** Names of the fields of the object at `path`. */
  fields(path: FieldPath): string[] {
    return Object.keys(this.at(path)?.properties ?? {});
  }

  /** Where in `spec` a field of this name lives, as text; undefined if nowhere or in more than one place. */
  placeOf(name: string): string | undefined {
    const places = find(this.#root.properties?.['spec'], name, ['spec']);
    return places.length === 1 ? places[0] : undefined;
  }
}

function step(node: FieldNode | undefined, key: PropertyKey): FieldNode | undefined {
  if (node === undefined) return undefined;
  if (typeof key === 'number') return node.items;
  const { properties = {}, additionalProperties } = node;
  const name = String(key);
  // Own properties only: a field named `constructor` is not known.
  if (Object.hasOwn(properties, name)) return properties[name];
  return typeof additionalProperties === 'object' ? additionalProperties : undefined;
}

function find(node: FieldNode | undefined, name: string, path: readonly string[]): string[] {
  return Object.entries(node?.properties ?? {}).flatMap(([field, child]) => {
    const here = [...path, field];
    return field === name ? [formatFieldPath(here)] : find(child, name, here);
  });
}
