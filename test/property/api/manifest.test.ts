import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { checkObject } from '../../../src/api/object.ts';
import { formatProblem, parseManifest } from '../../../src/api/manifest.ts';
import { describeSchema } from '../../../src/api/field-guide.ts';
import type { FieldNode } from '../../../src/api/field-guide.ts';
import { vmNetworkSchema } from '../../../src/api/v1alpha1/index.ts';
import { networkWith } from '../../support/api-cases/network-cases.ts';

/** Names that matter to somebody: our fields, and the traps of JavaScript. */
const fieldNames = (node: FieldNode): string[] =>
  Object.entries(node.properties ?? {}).flatMap(([name, child]) => [name, ...fieldNames(child)]);
const names = fc.constantFrom(
  ...new Set([
    ...fieldNames(describeSchema(vmNetworkSchema)),
    '__proto__',
    'constructor',
    'toString',
    'then',
  ]),
);

const hostileText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '\u001b[2J',
    '\u202eabc',
    'a\nb: c',
    '../../etc/passwd',
    '${x}',
    '{{x}}',
    '`id`',
    "'; --",
    '!!js/function x',
    '*a',
    '&a',
    '%YAML',
    '---',
    '...',
  ),
);

const anyValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.integer(),
      fc.double(),
      hostileText,
      names,
      fc.constantFrom('Filtered', 'Direct', '203.0.113.10'),
    ),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(names, hostileText), tie('value'), { maxKeys: 6 }),
  ),
})).value;

const printableOnly = (text: string) =>
  !/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029]/u.test(text.replaceAll('\n', ''));

test('any value at all is either refused with reasons or an object: nothing is thrown', () => {
  fc.assert(
    fc.property(fc.oneof(anyValue, fc.anything()), (value) => {
      const result = checkObject(value);
      if (!result.ok) expect(result.issues.length).toBeGreaterThan(0);
    }),
    { numRuns: 500 },
  );
});

test('any spec at all: the issues name fields and what to do, and cannot fake a terminal', () => {
  fc.assert(
    fc.property(fc.dictionary(names, anyValue, { maxKeys: 6 }), (changes) => {
      const text = JSON.stringify(networkWith(changes));
      const { objects, problems } = parseManifest(text, 'f.yaml');
      expect(objects.length === 0).toBe(problems.length > 0);
      for (const problem of problems) {
        expect(problem.message).not.toBe('');
        expect(problem.remedy).not.toBe('');
        expect(printableOnly(formatProblem(problem))).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});

test('any text at all is read without a throw', () => {
  const good = stringify(networkWith({}));
  const mutated = fc
    .tuple(fc.nat(good.length), fc.nat(20), hostileText)
    .map(([at, removed, inserted]) => good.slice(0, at) + inserted + good.slice(at + removed));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 300 }),
        mutated,
        anyValue.map((value) => stringify(value)),
      ),
      (text) => {
        const { objects, problems } = parseManifest(text, 'f.yaml');
        expect(objects.length + problems.length).toBeGreaterThan(0);
        for (const problem of problems) expect(printableOnly(formatProblem(problem))).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});

test('a hostile name is refused, never interpreted', () => {
  fc.assert(
    fc.property(hostileText, (name) => {
      const object = { ...networkWith({}), metadata: { name, namespace: name } };
      const good = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name);
      const { objects, problems } = parseManifest(JSON.stringify(object), 'f.yaml');
      expect(objects.length).toBe(good ? 1 : 0);
      for (const problem of problems) expect(problem.message + problem.remedy).not.toContain('\u001b');
    }),
  );
});

test('a good network survives YAML and comes out the same', () => {
  const spec = fc.record(
    {
      consumerEndpoint: fc.record({
        address: fc
          .tuple(fc.integer({ min: 128, max: 168 }), fc.nat(255), fc.nat(255), fc.nat(255))
          .map((octets) => octets.join('.')),
        port: fc.integer({ min: 1, max: 65535 }),
      }),
      endpointGraceSeconds: fc.integer({ min: 0, max: 3600 }),
      enforcement: fc.constantFrom('Enforce', 'Audit'),
      desiredState: fc.constantFrom('Active', 'Quarantined'),
      limits: fc.record({ packetsPerSecond: fc.maxSafeNat() }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(spec, (changes) => {
      const { objects, problems } = parseManifest(stringify(networkWith(changes)), 'f.yaml');
      expect(problems).toEqual([]);
      expect(objects[0]?.object.spec).toMatchObject(changes);
      // What has all its defaults is a fixed point.
      expect(vmNetworkSchema.parse(objects[0]?.object)).toEqual(objects[0]?.object);
    }),
  );
});
