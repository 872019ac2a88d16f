import { afterEach, describe, expect, test } from '@jest/globals';
import { hasLostPast } from '../../../../src/kube/reflector/lost-past.ts';
import { IndexedStore } from '../../../../src/kube/store/store.ts';
import { lamp, type Lamp } from '../transport/client.ts';
import { refuse } from '../transport/scripted-server.ts';
import { endTrials, trial } from './trial.ts';

afterEach(endTrials);

/** What was told up to version 100. */
const HEARD = '100';
const told = [lamp('one', 40), lamp('two', 99)];

describe('a list', () => {
  test.each<[string, boolean, Lamp[], string, string]>([
    ['that is the first', false, told, '5', ''],
    ['of which nothing is new', false, told, '100', HEARD],
    ['with what came since', false, [lamp('one', 101), lamp('two', 99), lamp('three', 102)], '103', HEARD],
    ['without what went since', false, [lamp('two', 99)], '103', HEARD],
    [
      'with another one of a name',
      false,
      [lamp('one', 101, { uid: 'another' }), lamp('two', 99)],
      '103',
      HEARD,
    ],
    ['of an older collection', true, told, '99', HEARD],
    ['of a collection that begins anew', true, [], '1', HEARD],
    ['with what is older than it was', true, [lamp('one', 39), lamp('two', 99)], '500', HEARD],
    ['with what had gone', true, [...told, lamp('three', 98)], '500', HEARD],
    ['with what was never there', true, [...told, lamp('three', 100)], '500', HEARD],
    ['whose versions are no numbers', false, [lamp('one', 1)], 'abc', HEARD],
  ])('%s: lost is %s', (_, lost, items, version, heard) => {
    const store = new IndexedStore<Lamp>();
    for (const item of told) store.set(item);
    expect(hasLostPast(store, items, version, heard)).toBe(lost);
  });
});

describe('whoever follows a server', () => {
  test('that was given older data back is told before anything of them is', async () => {
    const it = await trial();
    const { collection } = it;
    collection.items = [lamp('one', 5000)];
    collection.version = 6000;
    await it.following();
    collection.items = [lamp('one', 4000), lamp('two', 4001)];
    collection.version = 4002;
    collection.cutWatches();
    await it.pass(() => it.told.length === 3 && it.open, 'the news');
    expect(it.lostPast).toEqual([1]);
    expect(it.told.slice(1)).toEqual(['updated one@4000', 'added two@4001']);
  });

  test('that only was away is not', async () => {
    const it = await trial();
    const { collection } = it;
    collection.items = [lamp('one', 5), lamp('two', 6)];
    collection.version = 6;
    await it.following();
    collection.send('MODIFIED', lamp('one', 7));
    collection.send('DELETED', lamp('two', 8));
    await it.pass(() => it.told.length === 4, 'the news');
    collection.items = [lamp('one', 7), lamp('three', 9)];
    collection.version = 10;
    collection.onProbe = (_, response) => refuse(response, 500, 'InternalError');
    collection.cutWatches();
    await it.pass(() => it.told.length === 5 && it.open, 'the rest');
    expect(it.lostPast).toEqual([]);
  });
});
