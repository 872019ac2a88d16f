import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { findDuplicates, parseManifest } from '../../../src/api/manifest.ts';
import type { ParsedManifest } from '../../../src/api/manifest.ts';
import { builtInClass, classObjections } from '../../../src/api/v1alpha1/index.ts';
import { unsupportedFields } from '../../../src/controller/vmnetwork/unsupported.ts';

const folder = join(import.meta.dirname, '../../../examples');
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
const textOf = (file: string) => readFileSync(join(folder, file), 'utf8');
const documentsOf = (file: string) =>
  textOf(file)
    .split(/^---\n/m)
    .map((text) => ({ text, object: parseAllDocuments(text)[0]?.toJS() as { kind: string; data: unknown } }));
const isSecret = ({ object }: { object: { kind: string } }) => object.kind === 'Secret';
/** Of our kinds; a Secret beside them is Kubernetes' matter. */
const read = (file: string): ParsedManifest =>
  parseManifest(
    documentsOf(file)
      .filter((document) => !isSecret(document))
      .map(({ text }) => text)
      .join('---\n'),
    file,
  );

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

  test('full.yaml shows every field that has a default, and the default', () => {
    const spec = (file: string) => {
      const object = read(file).objects[0];
      return object?.kind === 'VMNetwork' ? object.object.spec : undefined;
    };
    const { consumerEndpoint, selector, violation, wireGuard, ...rest } = spec('full.yaml') ?? {};
    const short = spec('filtered.yaml');
    expect(rest).toEqual({
      className: short?.className,
      mode: short?.mode,
      endpointGraceSeconds: 0,
      enforcement: 'Enforce',
      desiredState: 'Active',
      limits: short?.limits,
      cloudInit: short?.cloudInit,
    });
    expect({ ...violation, action: undefined }).toEqual({ ...short?.violation, action: undefined });
    expect(wireGuard).toMatchObject({
      allowedIPs: short?.wireGuard.allowedIPs,
      mtu: short?.wireGuard.mtu,
      strict: short?.wireGuard.strict,
    });
    expect([consumerEndpoint, selector].every((part) => part !== undefined)).toBe(true);
    const text = textOf('full.yaml');
    for (const field of Object.keys(short ?? {})) expect(text).toContain(`${field}:`);
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
    const standalone = refused.length === 0 && !documentsOf(file).some(isSecret);
    expect(listed.get(file)).toMatch(standalone ? /^yes/ : /^no: /);
  });

  test('the pre-shared key of the example is one', () => {
    const secret = documentsOf('preshared-key.yaml').find(isSecret);
    const { psk = '' } = secret?.object.data as { psk?: string };
    const text = Buffer.from(psk, 'base64').toString();
    expect(Buffer.from(text, 'base64')).toHaveLength(32);
    expect(Buffer.from(text, 'base64').toString('base64')).toBe(text);
  });
});
