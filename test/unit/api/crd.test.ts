import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { customResourceDefinition } from '../../../src/api/crd/custom-resource-definition.ts';
import { renderReference } from '../../../src/api/crd/reference.ts';
import { renderCrds } from '../../../src/api/crd/render.ts';
import { RESOURCES } from '../../../src/api/crd/resources.ts';
import { structural } from '../../../src/api/crd/structural-schema.ts';
import { describeSchema } from '../../../src/api/field-guide.ts';

const folder = join(import.meta.dirname, '../../../crds');

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly example?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
  readonly [keyword: string]: unknown;
}

interface Crd {
  readonly spec: {
    readonly names: unknown;
    readonly versions: readonly [
      {
        readonly schema: { readonly openAPIV3Schema: Schema };
        readonly subresources?: unknown;
        readonly additionalPrinterColumns: readonly { name: string; priority?: number }[];
      },
    ];
  };
}

const crds = RESOURCES.map((resource) => ({
  kind: resource.kind,
  crd: customResourceDefinition(resource) as unknown as Crd,
}));
const rootOf = (crd: Crd) => crd.spec.versions[0].schema.openAPIV3Schema;

/** Every node of a schema with its path. */
function nodes(schema: Schema, path: string): [string, Schema][] {
  const children = [
    ...Object.entries(schema.properties ?? {}).map(([name, child]) => [`${path}.${name}`, child] as const),
    ...(schema.items === undefined ? [] : [[`${path}[]`, schema.items] as const]),
    ...(schema.additionalProperties === undefined
      ? []
      : [[`${path}{}`, schema.additionalProperties] as const]),
  ];
  return [[path, schema], ...children.flatMap(([name, child]) => nodes(child, name))];
}

test('crds/ is what src/api says (run: node scripts/generate-crds.ts)', () => {
  const rendered = renderCrds();
  expect(
    readdirSync(folder)
      .filter((name) => name.endsWith('.yaml'))
      .sort(),
  ).toEqual([...rendered.keys()].sort());
  for (const [name, text] of rendered) expect(readFileSync(join(folder, name), 'utf8')).toBe(text);
});

test('put together, the files of crds/ are one stream of YAML', () => {
  const documents = parseAllDocuments([...renderCrds().values()].join(''));
  const kinds = documents.map((document) => (document.toJS() as { kind?: string } | null)?.kind);
  expect(kinds).toEqual(RESOURCES.map(() => 'CustomResourceDefinition'));
});

test('docs/api.md is what src/api says (run: node scripts/generate-crds.ts)', () => {
  expect(readFileSync(join(folder, '../docs/api.md'), 'utf8')).toBe(renderReference());
});

describe.each(crds)('$kind', ({ kind, crd }) => {
  const all = nodes(rootOf(crd), kind);

  test('every field says what it is, with an example', () => {
    const silent = all.filter(([path, { description, example }]) => {
      const told = description !== undefined && example !== undefined;
      // The object itself, metadata (the API server knows it) and the objects in a list of objects, whose list has both.
      return !told && path !== kind && path !== `${kind}.metadata` && !/\[\]$/.test(path);
    });
    expect(silent.map(([path]) => path)).toEqual([]);
  });

  test('every time and size names its unit', () => {
    const unit = /second|byte|bit|packet|number|out of a million|port|generation|speaks of/i;
    const numbers = all.filter(([, { type }]) => type === 'integer');
    expect(
      numbers.filter(([, { description }]) => !unit.test(description ?? '')).map(([path]) => path),
    ).toEqual([]);
  });

  test('is structural: types everywhere, nothing that the API server refuses', () => {
    for (const [path, node] of all) {
      expect({ path, type: node.type }).toEqual({ path, type: expect.any(String) as unknown });
      for (const keyword of [
        '$ref',
        'anyOf',
        'oneOf',
        'allOf',
        'not',
        'const',
        'uniqueItems',
        'propertyNames',
        'examples',
        'remedy',
      ]) {
        expect({ path, keyword, there: keyword in node }).toEqual({ path, keyword, there: false });
      }
      if (node.properties !== undefined) expect(node.additionalProperties).toBeUndefined();
      // Bounded, or the cost of the rules cannot be estimated.
      if (node.type === 'array')
        expect({ path, maxItems: node['maxItems'] }).toEqual({
          path,
          maxItems: expect.any(Number) as unknown,
        });
    }
  });

  test('patterns are the common part of RE2 and ECMAScript', () => {
    for (const [path, { pattern }] of all) {
      if (typeof pattern !== 'string') continue;
      expect({ path, look: /\(\?|\\[1-9bBdDsSwWuxpPk/]/.test(pattern) }).toEqual({ path, look: false });
    }
  });
});

test('VMNetwork has the columns of the design', () => {
  const crd = crds[0]?.crd.spec.versions[0];
  const columns = (wide: boolean) =>
    crd?.additionalPrinterColumns
      .filter(({ priority }) => (priority === 1) === wide)
      .map(({ name }) => name.toUpperCase());
  expect(columns(false)).toEqual(['MODE', 'ENDPOINT', 'READY', 'ENFORCED', 'ATTACHED', 'AGE']);
  expect(columns(true)).toEqual(['CLASS', 'DROPS', 'TUNNEL', 'TUNNEL-AGE', 'WHY']);
  expect(crd?.subresources).toEqual({ status: {} });
  expect(crds[0]?.crd.spec.names).toMatchObject({ shortNames: ['vmn', 'vmnet'] });
});

test('the other kinds have theirs', () => {
  const columnsOf = (kind: string) =>
    crds
      .find((one) => one.kind === kind)
      ?.crd.spec.versions[0].additionalPrinterColumns.filter(({ priority }) => priority !== 1)
      .map(({ name }) => name.toUpperCase());
  expect(columnsOf('VMNetworkAttachment')).toEqual(
    ['NODE', 'VM', 'MAC', 'MODE', 'ENDPOINT', 'ENFORCED', 'ENGINE', 'AGE'], //
  );
  expect(columnsOf('VMNetworkNode')).toEqual(['READY', 'PLATFORM', 'KERNEL', 'VMS', 'AGENT', 'AGE']);
  expect(columnsOf('VMNetworkClass')).toEqual(['MODES', 'AGE']);
});

test('no category has the name of a kind: `kubectl get vmnetwork` would show all kinds', () => {
  const names = crds.map(({ crd }) => crd.spec.names as Record<string, string | string[]>);
  const categories = new Set(names.flatMap(({ categories: some = [] }) => some));
  for (const { plural, singular, shortNames = [] } of names) {
    for (const name of [plural, singular, ...shortNames]) expect(categories).not.toContain(name);
  }
});

test('every kind has a status that only its own subresource writes', () => {
  for (const { crd } of crds) expect(crd.spec.versions[0].subresources).toEqual({ status: {} });
});

test('what people write is refused in sentences: no bare pattern is left in a spec', () => {
  for (const { kind, crd } of crds) {
    const spec = rootOf(crd).properties?.['spec'] ?? {};
    const bare = nodes(spec, kind).filter(([, { pattern }]) => pattern !== undefined);
    expect(bare.map(([path]) => path)).toEqual([]);
  }
});

describe('what the API server says of too many or the same twice has no remedy: the description has it', () => {
  const bounded = crds.flatMap(({ kind, crd }) =>
    ['VMNetwork', 'VMNetworkClass'].includes(kind)
      ? nodes(rootOf(crd).properties?.['spec'] ?? {}, kind).filter(
          // A list of choices can hold each of them.
          ([, node]) =>
            (node['maxItems'] ?? node['maxProperties']) !== undefined && node.items?.['enum'] === undefined,
        )
      : [],
  );

  test.each(bounded)('%s', (_, { description, ...node }) => {
    const most = String(node['maxItems'] ?? node['maxProperties']);
    expect(description).toMatch(new RegExp(`at most ${most}; for more (VMs )?[a-z]+`));
    if (node['x-kubernetes-list-type'] === 'set') expect(description).toContain('each once');
  });

  test('and there are some', () => expect(bounded.length).toBeGreaterThan(7));
});

test('columns that tell when and why: of the handshake, and of what is asked for', () => {
  const columns = crds[0]?.crd.spec.versions[0].additionalPrinterColumns;
  expect(columns?.find(({ name }) => name === 'Tunnel-Age')).toMatchObject({
    type: 'date',
    jsonPath: '.status.tunnel.lastHandshake',
  });
  expect(columns?.find(({ name }) => name === 'Why')).toMatchObject({
    jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
  });
});

test('[NM-2] the API server too refuses a network without an endpoint', () => {
  const spec = crds[0] && rootOf(crds[0].crd).properties?.['spec'];
  expect(spec?.['x-kubernetes-validations']).toContainEqual(
    expect.objectContaining({
      rule: "self.mode == 'Direct' || has(self.consumerEndpoint)",
      fieldPath: '.consumerEndpoint',
    }),
  );
});

test('a schema keyword that has no translation is an error, not lost', () => {
  expect(() => structural(describeSchema(z.union([z.string(), z.number()])), 'x')).toThrow(
    /no rule for the schema keyword "anyOf"/,
  );
});
