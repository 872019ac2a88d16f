import { afterEach, describe, expect, test } from '@jest/globals';
import { lamp } from '../transport/client.ts';
import { refuse, until, type Answerer } from '../transport/scripted-server.ts';
import { endTrials, trial } from './trial.ts';

afterEach(endTrials);

const missing: Answerer = (_, response) => {
  response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n');
};
const failing: Answerer = (_, response) => refuse(response, 500, 'InternalError');

describe('a server that goes away', () => {
  test('and comes back: the list tells what happened meanwhile', async () => {
    const it = await trial();
    const { collection } = it;
    collection.items = [lamp('goes', 1), lamp('stays', 2)];
    await it.following();
    collection.onWatch = failing;
    collection.onList = failing;
    collection.onProbe = failing;
    collection.server.cutConnections();
    const before = collection.server.requests.length;
    const endMs = it.clock.monotonicMs() + 600_000;
    await it.pass(() => it.clock.monotonicMs() >= endMs, 'ten minutes', 1000);
    // A list each 15 s in the end (30 s less the jitter of this test), each sent thrice by the transport.
    expect(collection.server.requests.length - before).toBeLessThan(3 * 60);
    expect(it.names()).toEqual(['goes', 'stays']);
    collection.items = [lamp('stays', 2), lamp('comes', 3)];
    collection.version = 3;
    collection.onList = (_, response) => collection.answerList(response);
    collection.onWatch = (_, response) => collection.open(response);
    await it.pass(() => it.open, 'a watch');
    expect(it.told.slice(2)).toEqual(['deleted goes@1', 'added comes@3']);
  });

  test('and comes back empty, its versions begun anew: all is told as deleted', async () => {
    const it = await trial();
    const { collection } = it;
    collection.items = [lamp('one', 5000)];
    collection.version = 6000;
    await it.following();
    // It restarts so fast that nothing but the cut is seen, and takes a watch from the future without a word.
    collection.items = [];
    collection.version = 3;
    it.clock.stall(60_000);
    collection.cutWatches();
    await it.pass(() => it.told.length === 2 && it.open, 'the news');
    expect(it.told[1]).toBe('deleted one@5000');
    expect(collection.probes).toHaveLength(1);
    expect(collection.watches.at(-1)!.query.get('resourceVersion')).toBe('3');
  });

  test('in order, and comes back empty: a watch that ends before its time is followed by a probe', async () => {
    const it = await trial();
    const { collection } = it;
    collection.items = [lamp('one', 5000)];
    collection.version = 6000;
    await it.following();
    collection.items = [];
    collection.version = 3;
    it.clock.stall(60_000);
    collection.endWatches();
    await it.pass(() => it.told.length === 2 && it.open, 'the news');
    expect(it.told[1]).toBe('deleted one@5000');
    expect(collection.probes).toHaveLength(1);
    expect(collection.watches).toHaveLength(2);
  });

  test('and comes back with another object of the same name: deleted, then added', async () => {
    const it = await trial();
    const { collection } = it;
    collection.items = [lamp('one', 5000)];
    collection.version = 6000;
    await it.following();
    collection.items = [lamp('one', 2, { uid: 'another' })];
    collection.version = 3;
    collection.cutWatches();
    await it.pass(() => it.told.length === 3, 'the news');
    expect(it.told.slice(1)).toEqual(['deleted one@5000', 'added one@2']);
    expect(it.events[1]!.object.metadata.uid).toBe('uid-one');
    expect(it.events[2]!.previous).toBeUndefined();
  });

  test('versions that go backwards within a watch: a list', async () => {
    const it = await trial();
    it.collection.version = 6000;
    await it.following();
    it.collection.send('ADDED', lamp('one', 7));
    await it.pass(() => it.told.length === 1, 'the news');
    expect(it.collection.lists).toHaveLength(2);
    expect(it.said[0]).toBe('watch failed');
  });

  test('an end of an object that is known to have been replaced is not the end of its successor', async () => {
    const it = await trial();
    it.collection.items = [lamp('one', 5, { uid: 'new' })];
    await it.following();
    it.collection.send('DELETED', lamp('one', 6, { uid: 'old' }));
    it.collection.send('ADDED', lamp('two', 7));
    await until(() => it.told.length === 2);
    expect(it.names()).toEqual(['one', 'two']);
  });
});

describe('a resource that is not served', () => {
  test('is asked for again and again, with few requests; it is said why, and known as soon as it is there', async () => {
    const it = await trial();
    it.collection.onList = missing;
    it.start();
    let synced = false;
    void it.informer.synced().then(() => (synced = true));
    const endMs = it.clock.monotonicMs() + 600_000;
    await it.pass(() => it.clock.monotonicMs() >= endMs, 'ten minutes', 1000);
    expect(it.collection.lists.length).toBeLessThan(60);
    expect(it.said[0]).toContain('CustomResourceDefinition');
    expect(synced).toBe(false);
    it.collection.items = [lamp('one', 1)];
    it.collection.onList = (_, response) => it.collection.answerList(response);
    await it.pass(() => it.told.length === 1, 'the news');
    expect(synced).toBe(true);
  });

  test('any more keeps what is known until it is served again, then tells the difference', async () => {
    const it = await trial();
    const { collection } = it;
    collection.items = [lamp('one', 5), lamp('two', 6)];
    collection.version = 7;
    await it.following();
    collection.onWatch = missing;
    collection.onList = missing;
    collection.endWatches();
    await it.pass(() => collection.lists.length >= 4, 'some tries', 1000);
    expect(it.names()).toEqual(['one', 'two']);
    collection.items = [lamp('one', 9, { uid: 'of the new definition' })];
    collection.version = 9;
    collection.onList = (_, response) => collection.answerList(response);
    collection.onWatch = (_, response) => collection.open(response);
    await it.pass(() => it.open, 'a watch', 1000);
    expect(it.told.slice(2)).toEqual(['deleted two@6', 'deleted one@5', 'added one@9']);
  });
});
