import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SharedValues } from '../../../../src/kube/store/shared-values.ts';

interface Thing {
  metadata: { name: string; labels?: Record<string, string> };
  conditions: { reason: string; message: string }[];
}

function thing(name: string, message = 'all is well'): Thing {
  return {
    metadata: { name, labels: { rental: 'one of many' } },
    conditions: [
      { reason: 'Fine', message: 'nothing to tell' },
      { reason: 'Fine', message },
    ],
  };
}

function shared(values: SharedValues, object: Thing): Thing {
  values.share(object);
  return object;
}

describe('what objects have alike', () => {
  test('is one and the same afterwards; what differs is not', () => {
    const values = new SharedValues();
    const one = shared(values, thing('one'));
    const two = shared(values, thing('two'));
    expect(two).toEqual(thing('two'));
    expect(two.conditions).toBe(one.conditions);
    expect(two.metadata.labels).toBe(one.metadata.labels);
    expect(two.metadata).not.toBe(one.metadata);
    const other = shared(values, thing('one', 'all is lost'));
    expect(other.conditions[0]).toBe(one.conditions[0]);
    expect(other.conditions[1]).not.toBe(one.conditions[1]);
    expect(one).toEqual(thing('one'));
  });

  test('is not looked for in what is long, but in its parts', () => {
    const values = new SharedValues();
    const long = 'x'.repeat(400);
    const [one, two] = [shared(values, thing('one', long)), shared(values, thing('two', long))];
    expect(two.conditions[1]).not.toBe(one.conditions[1]);
    expect(two.conditions[0]).toBe(one.conditions[0]);
    expect(two).toEqual(thing('two', long));
  });

  test('is forgotten when many others came since, and not while it is seen', () => {
    const values = new SharedValues();
    const one = shared(values, thing('one', 'rare'));
    for (let at = 0; at < 3000; at += 1) shared(values, thing('other', `message ${String(at)}`));
    const again = shared(values, thing('one', 'rare'));
    expect(again.conditions[1]).not.toBe(one.conditions[1]);
    expect(again.conditions[0]).toBe(one.conditions[0]);
  });

  test('whatever it is, no object reads differently', () => {
    fc.assert(
      fc.property(fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { maxLength: 8 }), (objects) => {
        const values = new SharedValues();
        const texts = objects.map((object) => JSON.stringify(object));
        // As they come from the server: `__proto__` is a key like any other.
        const parsed = texts.map((text) => JSON.parse(text) as object);
        for (const object of parsed) values.share(object);
        expect(parsed.map((object) => JSON.stringify(object))).toEqual(texts);
      }),
    );
  });
});
