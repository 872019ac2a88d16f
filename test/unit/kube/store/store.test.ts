import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { keyOf, refOf, type KubeObject } from '../../../../src/kube/resource.ts';
import { IndexedStore } from '../../../../src/kube/store/store.ts';

interface Thing extends KubeObject {
  tags: string[];
}

function thing(name: string, ...tags: string[]): Thing {
  return { apiVersion: 'v1', kind: 'Thing', metadata: { namespace: 'a', name }, tags };
}

const indexers = { tag: (object: Thing) => object.tags, name: (object: Thing) => [object.metadata.name] };

describe('keys', () => {
  test('are namespace/name, or the name where there is no namespace', () => {
    expect(keyOf(thing('x'))).toBe('a/x');
    expect(keyOf({ name: 'x' })).toBe('x');
    expect(keyOf({ name: 'x', namespace: 'b' })).toBe('b/x');
    expect(refOf('b/x')).toEqual({ namespace: 'b', name: 'x' });
    expect(refOf('x')).toEqual({ name: 'x' });
  });
});

describe('the store', () => {
  test('finds by key and by each value of an index', () => {
    const store = new IndexedStore(indexers);
    store.set(thing('x', 'red', 'big'));
    store.set(thing('y', 'red'));
    expect(store.size).toBe(2);
    expect(store.byIndex('tag', 'red').map(keyOf)).toEqual(['a/x', 'a/y']);
    expect(store.byIndex('tag', 'big').map(keyOf)).toEqual(['a/x']);
    expect(store.byIndex('tag', 'none')).toEqual([]);
    expect(() => store.byIndex('colour', 'red')).toThrow('there is no index "colour"');
  });

  test('an object that gives a value twice is found once', () => {
    const store = new IndexedStore(indexers);
    store.set(thing('x', 'red', 'red'));
    expect(store.byIndex('tag', 'red')).toHaveLength(1);
    store.set(thing('x', 'blue'));
    expect(store.byIndex('tag', 'red')).toEqual([]);
  });

  test('forgets values by what was given when the object came, also if the object was changed since', () => {
    const store = new IndexedStore({ tag: (object: Thing) => [...object.tags] });
    const object = thing('x', 'red');
    store.set(object);
    object.tags = ['blue'];
    store.delete('a/x');
    expect(store.byIndex('tag', 'red')).toEqual([]);
  });

  test('an indexer that throws leaves the store as it was', () => {
    const store = new IndexedStore({
      tag: (object: Thing) => {
        if (object.tags.length === 0) throw new Error('no tags');
        return object.tags;
      },
    });
    store.set(thing('x', 'red'));
    expect(() => store.set(thing('x'))).toThrow('no tags');
    expect(store.byIndex('tag', 'red')[0]).toBe(store.get('a/x'));
  });

  test('asks the indexers about the object that changes, and no other', () => {
    let asked = 0;
    const store = new IndexedStore({ tag: (object: Thing) => ((asked += 1), object.tags) });
    for (let index = 0; index < 100; index += 1) store.set(thing(`x${index}`, 'red'));
    asked = 0;
    store.set(thing('x1', 'blue'));
    store.delete('a/x2');
    expect(asked).toBe(1);
  });

  test('says after any changes what a search of everything would say', () => {
    const name = fc.constantFrom('x', 'y', 'z');
    const tags = fc.array(fc.constantFrom('red', 'blue', '__proto__', ''), { maxLength: 3 });
    const change = fc.oneof(
      fc.record({ set: fc.constant(true), name, tags }),
      fc.record({ set: fc.constant(false), name, tags }),
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        const store = new IndexedStore(indexers);
        const plain = new Map<string, Thing>();
        for (const { set, name: key, tags: given } of changes) {
          if (set) {
            store.set(thing(key, ...given));
            plain.set(`a/${key}`, thing(key, ...given));
          } else {
            store.delete(`a/${key}`);
            plain.delete(`a/${key}`);
          }
        }
        expect(new Set(store.list().map(keyOf))).toEqual(new Set(plain.keys()));
        for (const tag of ['red', 'blue', '__proto__', '']) {
          const expected = [...plain.values()].filter((object) => object.tags.includes(tag)).map(keyOf);
          expect(new Set(store.byIndex('tag', tag).map(keyOf))).toEqual(new Set(expected));
          expect(store.countByIndex('tag', tag)).toBe(new Set(expected).size);
        }
      }),
    );
  });
});
