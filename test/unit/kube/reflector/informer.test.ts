import { afterEach, describe, expect, test } from '@jest/globals';
import { informer } from '../../../../src/kube/reflector/informer.ts';
import { compareVersions, isNewer } from '../../../../src/kube/reflector/resource-version.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { clientOf, lamp, LAMPS, LAMPS_PATH, type Lamp } from '../transport/client.ts';
import { until } from '../transport/scripted-server.ts';
import { ScriptedCollection } from './scripted-collection.ts';
import { bookmark, endTrials, trial } from './trial.ts';

afterEach(endTrials);

describe('in good times', () => {
  test('a list, then a watch from its version; each change is told once, in order, and the store has it', async () => {
    const it = await trial();
    const { collection } = it;
    collection.items = [lamp('one', 3), lamp('two', 4)];
    collection.version = 5;
    await it.following();
    expect(collection.lists[0]!.path).toBe(LAMPS_PATH);
    expect(collection.lists[0]!.query.get('limit')).toBe('500');
    expect(collection.lists[0]!.query.has('resourceVersion')).toBe(false);
    const query = collection.watches[0]!.query;
    expect(query.get('resourceVersion')).toBe('5');
    expect(query.get('allowWatchBookmarks')).toBe('true');
    expect(Number(query.get('timeoutSeconds'))).toBeGreaterThanOrEqual(300);
    collection.send('MODIFIED', lamp('one', 6));
    collection.send('ADDED', lamp('three', 7));
    collection.send('DELETED', lamp('two', 8));
    await until(() => it.told.length === 5);
    expect(it.told).toEqual([
      'added one@3',
      'added two@4',
      'updated one@6',
      'added three@7',
      'deleted two@8',
    ]);
    expect(it.events[2]!.previous?.metadata.resourceVersion).toBe('3');
    expect(it.names()).toEqual(['one', 'three']);
  });

  test('all pages of a list are one list', async () => {
    const it = await trial();
    it.collection.items = Array.from({ length: 7 }, (_, index) => lamp(`lamp-${index}`, index + 1));
    it.collection.onList = it.collection.pages(3);
    await it.following();
    expect(it.collection.lists).toHaveLength(3);
    expect(it.informer.store.size).toBe(7);
  });

  test('indexes follow', async () => {
    const it = await trial();
    it.collection.items = [{ ...lamp('one', 1), spec: { bright: true } }];
    await it.following();
    expect(it.informer.store.byIndex('bright', 'true')).toHaveLength(1);
    it.collection.send('MODIFIED', { ...lamp('one', 2), spec: { bright: false } });
    await until(() => it.told.length === 2);
    expect(it.informer.store.byIndex('bright', 'true')).toHaveLength(0);
    expect(it.informer.store.byIndex('bright', 'false')).toHaveLength(1);
  });

  test('the same version again is no event', async () => {
    const it = await trial();
    it.collection.items = [lamp('one', 3)];
    it.collection.version = 3;
    await it.following();
    it.collection.send('MODIFIED', lamp('one', 3));
    it.collection.send('ADDED', lamp('two', 4));
    await until(() => it.told.length === 2);
    expect(it.told).toEqual(['added one@3', 'added two@4']);
  });

  test('what wrote which field is not kept', async () => {
    const it = await trial();
    it.collection.items = [lamp('one', 3, { managedFields: [{ manager: 'me' }] })];
    await it.following();
    expect(it.informer.store.get('a/one')?.metadata).not.toHaveProperty('managedFields');
  });

  test('what objects have alike is kept once, whether they were listed or watched', async () => {
    const it = await trial();
    const more = { labels: { room: 'the same for all of them' } };
    it.collection.items = [lamp('one', 3, more), lamp('two', 4, more)];
    await it.following();
    it.collection.send('ADDED', lamp('three', 5, more));
    await until(() => it.told.length === 3);
    const [one, two, three] = it.informer.store.list().map(({ metadata }) => metadata.labels);
    expect(one).toEqual(more.labels);
    expect(two).toBe(one);
    expect(three).toBe(one);
  });

  test('a handler that comes late is told what there is, one that fails disturbs no other', async () => {
    const it = await trial();
    it.collection.items = [lamp('one', 3)];
    it.informer.onEvent(() => {
      throw new Error('handler');
    });
    await it.following();
    const late: string[] = [];
    it.informer.onEvent(({ type, object }) => late.push(`${type} ${object.metadata.name}`));
    expect(late).toEqual(['added one']);
    it.collection.send('ADDED', lamp('two', 4));
    await until(() => it.told.length === 2);
    expect(late).toEqual(['added one', 'added two']);
  });

  test('the server ends watches every few minutes: the next begins at once, at the last bookmark, without a list', async () => {
    const it = await trial();
    await it.following();
    for (let round = 1; round <= 5; round += 1) {
      it.collection.send('ADDED', lamp(`lamp-${round}`, round * 100));
      await until(() => it.told.length === round);
      it.clock.stall(299_000);
      await bookmark(it, round * 100 + 50);
      it.collection.endWatches();
      await until(() => it.collection.watches.length === round + 1 && it.open);
      expect(it.collection.watches[round]!.query.get('resourceVersion')).toBe(String(round * 100 + 50));
    }
    expect(it.collection.lists).toHaveLength(1);
    expect(it.collection.probes).toHaveLength(0);
    expect(it.said).toEqual([]);
  });
});

test('an indexer that fails on one object leaves it out of the index, not out of the store', async () => {
  const collection = await ScriptedCollection.start();
  collection.items = [lamp('bad', 1), lamp('good', 2)];
  const stop = new AbortController();
  const clock = new FakeClock();
  const lamps = informer<Lamp>(clientOf(collection.server.url, { clock }), LAMPS, {
    clock,
    indexers: {
      name: ({ metadata }) => {
        if (metadata.name === 'bad') throw new Error('indexer');
        return [metadata.name];
      },
    },
  });
  const run = lamps.start(stop.signal);
  await lamps.synced();
  expect(lamps.store.size).toBe(2);
  expect(lamps.store.byIndex('name', 'good')).toHaveLength(1);
  expect(lamps.store.byIndex('name', 'bad')).toHaveLength(0);
  stop.abort();
  await run;
  await collection.server.close();
});

test('versions are compared as numbers of any length, or not at all', () => {
  expect(compareVersions('9', '10')).toBeLessThan(0);
  expect(compareVersions('10', '9')).toBeGreaterThan(0);
  expect(compareVersions('12345678901234567891', '12345678901234567892')).toBeLessThan(0);
  expect(compareVersions('7', '7')).toBe(0);
  for (const odd of ['', '-1', '07', '1.5', 'abc']) expect(compareVersions(odd, '1')).toBeNull();
});

test('a version that cannot be compared counts as newer, unless it is the same', () => {
  const newer = (a?: string, b?: string) => {
    return isNewer(
      a === undefined ? {} : { resourceVersion: a },
      b === undefined ? {} : { resourceVersion: b },
    );
  };
  expect([newer('10', '9'), newer('9', '10'), newer('9', '9')]).toEqual([true, false, false]);
  expect([newer('abc', '9'), newer('9', 'abc'), newer('abc', 'abc')]).toEqual([true, true, false]);
  expect([newer('9'), newer(undefined, '9'), newer()]).toEqual([true, true, false]);
});
