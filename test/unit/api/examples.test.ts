import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { findDuplicates, parseManifest } from '../../../src/api/manifest.ts';
import { builtInClass, classObjections } from '../../../src/api/v1alpha1/index.ts';

const folder = join(import.meta.dirname, '../../../examples');
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
const read = (file: string) => parseManifest(readFileSync(join(folder, file), 'utf8'), file);

describe('examples', () => {
  test.each(files)('%s is valid, and the default class allows it', (file) => {
    const { objects, problems } = read(file);
    expect(problems).toEqual([]);
    expect(objects.length).toBeGreaterThan(0);
    for (const object of objects) {
      if (object.kind === 'VMNetwork')
        expect(classObjections(object.object.spec, builtInClass().spec)).toEqual([]);
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
    const text = readFileSync(join(folder, 'full.yaml'), 'utf8');
    for (const field of Object.keys(short ?? {})) expect(text).toContain(`${field}:`);
  });

  test('they can all be applied together', () => {
    expect(findDuplicates(files.flatMap((file) => read(file).objects))).toEqual([]);
  });

  test('the README lists each', () => {
    const listed = [
      ...readFileSync(join(folder, 'README.md'), 'utf8').matchAll(/^\| `([^`]+\.yaml)` \|/gm),
    ].map(([, name]) => name);
    expect(listed.sort()).toEqual([...files].sort());
  });
});
