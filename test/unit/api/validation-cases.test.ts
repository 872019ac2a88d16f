/** The tables that test/control-plane/validation.test.ts puts before the API server, put before our own reader. */
import { describe, expect, test } from '@jest/globals';
import { changed } from '../../support/api-cases/change.ts';
import { crdSchema, KINDS } from '../../support/api-cases/crd-schemas.ts';
import { CROSS_FIELD_RULES } from '../../support/api-cases/cross-field-rules.ts';
import { fieldPairs } from '../../support/api-cases/field-pairs.ts';
import { fullObject } from '../../support/api-cases/full-objects.ts';
import { textRulePairs } from '../../support/api-cases/text-rules.ts';
import { zodVerdict } from '../../support/api-cases/verdict.ts';

describe.each(KINDS)('%s', (kind) => {
  const object = fullObject(kind, 'tenant-a');

  test('the full object is accepted, and has every field', () => {
    expect(zodVerdict(object)).toMatchObject({ accepted: true, causes: [] });
    expect(zodVerdict(object).spec).toEqual(object.spec);
    expect(zodVerdict(object).status).toEqual(object.status);
  });

  test.each(['spec', 'status'] as const)('%s: each pair is refused and accepted', (part) => {
    const schema = crdSchema(kind, part);
    const pairs = [
      ...fieldPairs(schema, part, object),
      ...(part === 'spec' ? textRulePairs(schema, part) : []),
    ];
    expect(pairs.length).toBeGreaterThan(0);
    for (const { title, refused, accepted } of pairs) {
      expect({ title, accepted: zodVerdict(changed(object, refused)).accepted }).toEqual({
        title,
        accepted: false,
      });
      expect({ title, causes: zodVerdict(changed(object, accepted)).causes }).toEqual({ title, causes: [] });
    }
  });
});

test.each(CROSS_FIELD_RULES)('$title', ({ kind, refused, accepted }) => {
  const object = fullObject(kind, 'tenant-a');
  expect(zodVerdict(changed(object, refused)).accepted).toBe(false);
  expect(zodVerdict(changed(object, accepted)).causes).toEqual([]);
});
