import type { z } from 'zod';
import { describeSchema } from '../field-guide.ts';
import { GROUP, VERSION } from '../v1alpha1/group-version.ts';
import { structural } from './structural-schema.ts';
import type { StructuralSchema } from './structural-schema.ts';

/** A column of `kubectl get`. Priority 1 is shown with `-o wide` only. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly description: string;
  readonly jsonPath: string;
  readonly priority?: 1;
}

/** What the schema does not say about a kind. */
export interface Resource {
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly scope: 'Namespaced' | 'Cluster';
  readonly schema: z.ZodType;
  readonly columns: readonly PrinterColumn[];
}

/** The CustomResourceDefinition, as data. */
export function customResourceDefinition(resource: Resource): Readonly<Record<string, unknown>> {
  const { kind, plural, shortNames, scope, columns } = resource;
  const schema = rootSchema(resource);
  const hasStatus = Object.hasOwn(schema['properties'] as object, 'status');
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}`, labels: { 'app.kubernetes.io/part-of': 'vmnetwork' } },
    spec: {
      group: GROUP,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames,
        categories: ['vmnetwork'],
      },
      scope,
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          ...(hasStatus ? { subresources: { status: {} } } : {}),
          additionalPrinterColumns: columns,
          schema: { openAPIV3Schema: schema },
        },
      ],
    },
  };
}

/** The API server owns apiVersion, kind and metadata; a CRD may not describe them further. */
function rootSchema({ kind, schema }: Resource): StructuralSchema {
  const root = structural(describeSchema(schema), kind);
  const properties = root['properties'] as Record<string, StructuralSchema>;
  for (const name of ['apiVersion', 'kind']) {
    const { type, description, example } = properties[name] ?? {};
    properties[name] = { type, description, example };
  }
  properties['metadata'] = { type: 'object' };
  const required = (root['required'] as string[] | undefined)?.filter((name) => name === 'spec') ?? [];
  const { required: _, ...rest } = root;
  return { ...rest, ...(required.length === 0 ? {} : { required }), properties };
}
