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

/** `kubectl get vmnetwork-all` shows every kind. A category named like a kind would do that in place of the kind. */
export const CATEGORY = 'vmnetwork-all';

/** What the schema does not say about a kind. */
export interface Resource {
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly scope: 'Namespaced' | 'Cluster';
  readonly schema: z.ZodType;
  readonly columns: readonly PrinterColumn[];
  /** Fields that `--field-selector` and watches can select by. */
  readonly selectable: readonly string[];
}

/** The CustomResourceDefinition, as data. */
export function customResourceDefinition(resource: Resource): Readonly<Record<string, unknown>> {
  const { kind, plural, shortNames, scope, columns, selectable } = resource;
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
        categories: [CATEGORY],
      },
      scope,
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          ...(hasStatus ? { subresources: { status: {} } } : {}),
          ...(selectable.length > 0
            ? { selectableFields: selectable.map((jsonPath) => ({ jsonPath })) }
            : {}),
          additionalPrinterColumns: columns,
          schema: { openAPIV3Schema: schema },
        },
      ],
    },
  };
}

/** The API server owns apiVersion, kind and metadata; a CRD may not describe them further. */
function rootSchema({ kind, schema }: Resource): StructuralSchema {
  const { status, ...rest } = describeSchema(schema).properties ?? {};
  const root = structural({ ...describeSchema(schema), properties: rest }, kind);
  const properties = root['properties'] as Record<string, StructuralSchema>;
  if (status !== undefined) properties['status'] = structural(status, `${kind}.status`, 'programs');
  for (const name of ['apiVersion', 'kind']) {
    const { type, description, example } = properties[name] ?? {};
    properties[name] = { type, description, example };
  }
  properties['metadata'] = { type: 'object' };
  const required = (root['required'] as string[] | undefined)?.filter((name) => name === 'spec') ?? [];
  const { required: _, ...open } = root;
  return { ...open, ...(required.length === 0 ? {} : { required }), properties };
}
