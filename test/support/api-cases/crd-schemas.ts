/** The schemas of crds/, as the API server gets them. */
import { customResourceDefinition } from '../../../src/api/crd/custom-resource-definition.ts';
import { RESOURCES } from '../../../src/api/crd/resources.ts';
import type { CrdSchema } from './field-pairs.ts';
import type { Kind } from './full-objects.ts';
import { rulesOf } from './text-rules.ts';

interface Crd {
  readonly spec: {
    readonly versions: readonly [{ readonly schema: { readonly openAPIV3Schema: CrdSchema } }];
  };
}

export const KINDS = RESOURCES.map(({ kind }) => kind as Kind);

/** Of `spec` or `status` of a kind. */
export function crdSchema(kind: Kind, part: 'spec' | 'status'): CrdSchema {
  const resource = RESOURCES.find((one) => one.kind === kind);
  if (resource === undefined) throw new Error(`no CRD for ${kind}`);
  const crd = customResourceDefinition(resource) as unknown as Crd;
  const schema = crd.spec.versions[0].schema.openAPIV3Schema.properties?.[part];
  if (schema === undefined) throw new Error(`${kind} has no ${part}`);
  return schema;
}

/** Messages of all CEL rules in a schema, each once. */
export function messagesOf(schema: CrdSchema): string[] {
  const children = [
    ...Object.values(schema.properties ?? {}),
    ...(schema.items === undefined ? [] : [schema.items]),
    ...(schema.additionalProperties === undefined ? [] : [schema.additionalProperties]),
  ];
  const own = rulesOf(schema).map(({ message }) => message);
  return [...new Set([...own, ...children.flatMap(messagesOf)])];
}
