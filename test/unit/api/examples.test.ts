import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { findDuplicates, parseManifest } from '../../../src/api/manifest.ts';
import type { ParsedManifest } from '../../../src/api/manifest.ts';
import { builtInClass, classObjections } from '../../../src/api/v1alpha1/index.ts';
import { unsupportedFields } from '../../../src/controller/vmnetwork/unsupported.ts';
import { crdSchema } from '../../support/api-cases/crd-schemas.ts';
import {
  EXAMPLE_FILES as files,
  EXAMPLES_FOLDER as folder,
  exampleObjects,
  exampleText,
  secretCommands,
  secretsNeeded,
} from '../../support/api-cases/example-files.ts';
import type { CrdSchema } from '../../support/api-cases/field-pairs.ts';

const read = (file: string): ParsedManifest => parseManifest(exampleText(file), file);

/** The networks of a file, each with the class that it names: one beside it, else the one that nobody declared. */
function networksOf(file: string) {
  const { objects } = read(file);
  return objects.flatMap((found) => {
    if (found.kind !== 'VMNetwork') return [];
    const { spec } = found.object;
    const beside = objects.find(
      ({ kind, object }) => kind === 'VMNetworkClass' && object.metadata.name === spec.className,
    );
    const classSpec = beside?.kind === 'VMNetworkClass' ? beside.object.spec : builtInClass().spec;
    return [
      { network: found.object, classSpec, hasClass: beside !== undefined || spec.className === 'default' },
    ];
  });
}

/** The table of README.md: file -> what it says of the standalone agent. */
const listed = new Map(
  [
    ...readFileSync(join(folder, 'README.md'), 'utf8').matchAll(/^\| `([^`]+\.yaml)` \|.*\| ([^|]+) \|$/gm),
  ].map(([, name = '', standalone = '']) => [name, standalone]),
);

describe('examples', () => {
  test.each(files)('%s is valid, and the class that it names is there and allows it', (file) => {
    const { objects, problems } = read(file);
    expect(problems).toEqual([]);
    expect(objects.length).toBeGreaterThan(0);
    for (const { network, classSpec, hasClass } of networksOf(file)) {
      expect(hasClass).toBe(true);
      expect(classObjections(network.spec, classSpec)).toEqual([]);
    }
  });

  describe('full.yaml', () => {
    // What cannot stand beside the rest is commented out, a line a field.
    const all = exampleText('full.yaml').replaceAll(/^( +)# (\w+: \{.*)$/gm, '$1$2');
    const shown = shownBy((parse(all) as { spec: unknown }).spec);

    test('shows every field of the CRD, and no other', () => {
      expect([...shown.keys()].sort()).toEqual(
        fieldsOf(crdSchema('VMNetwork', 'spec'))
          .map(([path]) => path)
          .sort(),
      );
    });

    test('gives those that have a default that value', () => {
      const own = ['selector', 'selector.names', 'wireGuard', 'wireGuard.addresses'];
      for (const [path, { default: byDefault, properties }] of fieldsOf(crdSchema('VMNetwork', 'spec'))) {
        if (byDefault === undefined || properties !== undefined || own.includes(path)) continue;
        expect([path, shown.get(path)]).toEqual([path, byDefault]);
      }
    });

    test('is valid with what is commented out, in the mode that takes it', () => {
      const sampled = all.replace('mode: Filtered', 'mode: Sampled');
      expect(parseManifest(sampled, 'full.yaml').problems).toEqual([]);
    });
  });

  test('they can all be applied together, and no two want the same VM', () => {
    expect(findDuplicates(files.flatMap((file) => read(file).objects))).toEqual([]);
    const wanted = files.flatMap(networksOf).flatMap(({ network }) => {
      const { names, uuids, matchLabels } = network.spec.selector;
      return [...names, ...uuids, ...Object.entries(matchLabels).map(String)];
    });
    expect(new Set(wanted).size).toBe(wanted.length);
  });

  test('the README lists each', () => {
    expect([...listed.keys()].sort()).toEqual([...files].sort());
  });

  test.each(files)('%s: the README says whether the standalone agent takes it', (file) => {
    const refused = networksOf(file).flatMap(({ network, classSpec }) =>
      unsupportedFields(network.spec, classSpec),
    );
    expect(listed.get(file)).toMatch(refused.length === 0 ? /^yes/ : /^no: /);
  });

  test.each(files)('%s: its comment makes the Secrets that it needs, and no key stands in it', (file) => {
    expect(secretCommands(file).map(({ makes }) => makes)).toEqual(secretsNeeded(file));
    const objects = exampleObjects(file);
    expect(objects.filter(({ kind }) => kind === 'Secret')).toEqual([]);
  });

  test('some need a Secret', () => {
    expect(files.flatMap(secretsNeeded)).not.toEqual([]);
  });
});

/** Every field below a schema, with its path: `limits.packetsPerSecond`. Not what maps and lists hold. */
function fieldsOf({ properties = {} }: CrdSchema, above = ''): [string, CrdSchema][] {
  return Object.entries(properties).flatMap(([name, schema]) => [
    [`${above}${name}`, schema],
    ...fieldsOf(schema, `${above}${name}.`),
  ]);
}

/** The same of a manifest, with its values; `matchLabels` is a map of the reader's own keys. */
function shownBy(value: unknown, above = ''): Map<string, unknown> {
  if (
    typeof value !== 'object' ||
    value === null ||
    Array.isArray(value) ||
    above === 'selector.matchLabels.'
  )
    return new Map();
  return new Map(
    Object.entries(value).flatMap(([name, field]) => [
      [`${above}${name}`, field],
      ...shownBy(field, `${above}${name}.`),
    ]),
  );
}
