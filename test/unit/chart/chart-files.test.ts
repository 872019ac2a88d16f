/** What can be said of the chart without helm; the rest is in test/control-plane/chart.test.ts. */
import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { renderCrds } from '../../../src/api/crd/render.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const chart = join(root, 'helm', 'vmnetwork');
const textOf = (...path: string[]): string => readFileSync(join(chart, ...path), 'utf8');

interface Schema {
  type?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: unknown;
  required?: string[];
}

describe('Chart.yaml', () => {
  test('has the version of package.json', () => {
    const { version, appVersion } = parse(textOf('Chart.yaml')) as Record<string, string>;
    const released = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string })
      .version;
    expect([version, appVersion]).toEqual([released, released]);
  });
});

describe('the CRDs', () => {
  test('are those of crds/, not a copy', () => {
    expect(realpathSync(join(chart, 'crds'))).toBe(join(realpathSync(root), 'crds'));
    const files = readdirSync(join(chart, 'crds')).filter((name) => name.endsWith('.yaml'));
    expect(files.sort()).toEqual([...renderCrds().keys()].sort());
  });
});

describe('values', () => {
  const values = parse(textOf('values.yaml')) as Record<string, unknown>;
  const schema = JSON.parse(textOf('values.schema.json')) as Schema;

  test('values.schema.json knows the values of values.yaml and no others', () => {
    const inValues = pathsOf(values, schema);
    const inSchema = schemaPaths(schema).filter((path) => path !== 'global');
    expect(inValues.sort()).toEqual(inSchema.sort());
  });

  test('each is explained', () => {
    const lines = textOf('values.yaml').split('\n');
    const unexplained = lines.filter((line, index) => {
      if (!/^ *[a-zA-Z]+:/.test(line)) return false;
      // A group speaks for its members where the members' names say it all.
      const isLeaf = !/:$/.test(line);
      return isLeaf && !hasCommentAbove(lines, index);
    });
    expect(unexplained).toEqual([]);
  });

  test('unknown keys are refused at every level that is ours', () => {
    const open = objectsOf(schema).filter(([path, { additionalProperties }]) => {
      const isForeign =
        /^(global|(controller|agent)\.(resources|nodeSelector|podAnnotations|podLabels)|defaultClass\.spec)$/.test(
          path,
        );
      return !isForeign && additionalProperties !== false;
    });
    expect(open.map(([path]) => path)).toEqual([]);
  });
});

/** A comment above it, or above an entry just above: neighbours share one. */
function hasCommentAbove(lines: readonly string[], index: number): boolean {
  for (let above = index - 1; above >= 0; above -= 1) {
    const line = lines[above] ?? '';
    if (/^ *#/.test(line)) return true;
    if (line.trim() === '' || /:$/.test(line)) return false;
  }
  return false;
}

/** Paths of what the schema describes one by one; what it leaves open counts as one value. */
function pathsOf(value: unknown, schema: Schema | undefined, path = ''): string[] {
  const properties = schema?.properties;
  if (properties === undefined || typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([name, child]) =>
    pathsOf(child, properties[name], path === '' ? name : `${path}.${name}`),
  );
}

function schemaPaths(schema: Schema, path = ''): string[] {
  if (schema.properties === undefined) return [path];
  return Object.entries(schema.properties).flatMap(([name, child]) =>
    schemaPaths(child, path === '' ? name : `${path}.${name}`),
  );
}

function objectsOf(schema: Schema, path = ''): [string, Schema][] {
  const own: [string, Schema][] = schema.type === 'object' ? [[path, schema]] : [];
  const children = Object.entries(schema.properties ?? {}).flatMap(([name, child]) =>
    objectsOf(child, path === '' ? name : `${path}.${name}`),
  );
  return [...own, ...children];
}
