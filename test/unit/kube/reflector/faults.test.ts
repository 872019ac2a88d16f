import { afterEach, describe, expect, test } from '@jest/globals';
import { lamp } from '../transport/client.ts';
import { json, refuse, statusBody, until, type Answerer } from '../transport/scripted-server.ts';
import { bookmark, endTrials, trial } from './trial.ts';

afterEach(endTrials);

const gone: Answerer = (_, response) => refuse(response, 410, 'Expired');

describe('a version that the server no longer knows', () => {
  test('of a watch: a list; what went meanwhile is told as deleted, with its last known state', async () => {
    const it = await trial();
    const { collection } = it;
    collection.items = [lamp('goes', 1), lamp('stays', 2), lamp('changes', 3)];
    await it.following();
    collection.items = [lamp('comes', 9), lamp('stays', 2), lamp('changes', 8)];
    collection.version = 10;
    collection.write(`${JSON.stringify({ type: 'ERROR', object: statusBody(410, 'Expired') })}\n`);
    await it.pass(() => collection.watches.length === 2, 'another watch');
    expect(it.told.slice(3)).toEqual(['deleted goes@1', 'added comes@9', 'updated changes@8']);
    expect(collection.lists).toHaveLength(2);
    expect(collection.watches[1]!.query.get('resourceVersion')).toBe('10');
  });

  test('on the second page of a list: everything at once', async () => {
    const it = await trial();
    it.collection.items = Array.from({ length: 5 }, (_, index) => lamp(`lamp-${index}`, index + 1));
    const pages = it.collection.pages(2);
    it.collection.onList = (request, response) =>
      request.query.has('continue') ? gone(request, response) : pages(request, response);
    await it.following();
    expect(it.collection.lists.map(({ query }) => [query.get('limit'), query.has('continue')])).toEqual([
      ['500', false],
      ['500', true],
      [null, false],
    ]);
    expect(it.informer.store.size).toBe(5);
  });

  test('on every watch for ten minutes: few requests, and the store follows the lists', async () => {
    const it = await trial(() => 0.5);
    it.collection.onWatch = gone;
    it.start();
    await it.informer.synced();
    const endMs = it.clock.monotonicMs() + 600_000;
    await it.pass(() => it.clock.monotonicMs() >= endMs, 'ten minutes', 1000);
    // 30 s at most, 22.5 s with this jitter, after a few shorter ones.
    expect(it.collection.lists.length).toBeLessThan(40);
    expect(it.collection.lists.length).toBeGreaterThan(10);
    it.collection.items = [lamp('late', 5)];
    it.collection.onWatch = (_, response) => it.collection.open(response);
    await it.pass(() => it.told.includes('added late@5') && it.open, 'recovery', 1000);
  });
});

describe('watches that break', () => {
  test('each second for a minute: no list, bounded requests, nothing lost, nothing told twice', async () => {
    const it = await trial(() => 0.5);
    await it.following();
    const cuts = 40;
    for (let cut = 1; cut <= cuts; cut += 1) {
      it.clock.stall(1000);
      it.collection.cutWatches();
      // While there is no watch.
      it.collection.send('ADDED', lamp(`lamp-${cut}`, cut + 1));
      it.collection.onWatch = (request, response) => {
        it.collection.open(response);
        // What a server does: everything after the version that is asked for.
        for (const object of it.collection.items) {
          const version = Number(object.metadata.resourceVersion);
          if (version > Number(request.query.get('resourceVersion'))) {
            response.write(`${JSON.stringify({ type: 'ADDED', object })}\n`);
          }
        }
      };
      await it.pass(() => it.open, 'a new watch');
      await until(() => it.told.length === cut);
    }
    expect(it.told).toEqual(
      Array.from({ length: cuts }, (_, index) => `added lamp-${index + 1}@${index + 2}`),
    );
    expect(it.collection.lists).toHaveLength(1);
    expect(it.collection.watches).toHaveLength(cuts + 1);
    expect(it.collection.probes).toHaveLength(cuts);
  });

  test('as soon as they are open: longer and longer waits', async () => {
    const it = await trial(() => 0);
    it.start();
    it.collection.onWatch = (_, response) => {
      response.writeHead(200).flushHeaders();
      response.end();
    };
    await it.informer.synced();
    const endMs = it.clock.monotonicMs() + 300_000;
    await it.pass(() => it.clock.monotonicMs() >= endMs, 'five minutes', 500);
    expect(it.collection.watches.length).toBeLessThan(20);
    expect(it.collection.lists).toHaveLength(1);
  });

  test('one that is silent for longer than the server may be is cut, and the next begun', async () => {
    const it = await trial(() => 0);
    await it.following();
    const startMs = it.clock.monotonicMs();
    await it.pass(() => it.collection.watches.length === 2, 'another watch', 5000);
    // timeoutSeconds 300 and 30 s of grace, then the wait after a failure and a probe.
    expect(it.clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(330_000);
    expect(it.clock.monotonicMs() - startMs).toBeLessThan(400_000);
    await until(() => it.collection.watches[0]!.left(), 'the silent connection is left');
    expect(it.collection.lists).toHaveLength(1);
  });

  test('where bookmarks come each minute, silence is noticed after three', async () => {
    const it = await trial(() => 0);
    await it.following();
    it.clock.stall(299_000);
    await bookmark(it, 7);
    it.collection.endWatches();
    await until(() => it.collection.watches.length === 2 && it.open);
    const startMs = it.clock.monotonicMs();
    await it.pass(() => it.collection.watches.length === 3, 'another watch', 5000);
    expect(it.clock.monotonicMs() - startMs).toBeLessThan(200_000);
  });

  test('a quiet watch that still lives is not cut while bookmarks come', async () => {
    const it = await trial(() => 0);
    await it.following();
    for (let minute = 1; minute <= 20; minute += 1) {
      await it.clock.advance(60_000);
      await bookmark(it, minute + 1);
    }
    expect(it.collection.watches).toHaveLength(1);
  });

  test.each([
    ['a line of another language', '<html>\n'],
    ['an event that is no event', '{"type":"MOVED"}\n'],
  ])('%s: a list, because the same bytes would come again', async (_, line) => {
    const it = await trial();
    await it.following();
    it.collection.write(line);
    await it.pass(() => it.collection.watches.length === 2, 'another watch');
    expect(it.collection.lists).toHaveLength(2);
  });

  test('429: the server gets the time it asks for, and no list', async () => {
    const it = await trial();
    await it.following();
    it.collection.onWatch = (_, response) =>
      refuse(response, 429, 'TooManyRequests', { 'retry-after': '120' });
    it.clock.stall(299_000);
    const startMs = it.clock.monotonicMs();
    it.collection.endWatches();
    await it.pass(() => it.collection.watches.length === 3, 'the second try', 1000);
    expect(it.clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(120_000);
    expect(it.collection.lists).toHaveLength(1);
  });
});

test('pages that are too large are asked for smaller', async () => {
  const it = await trial(() => 0, 20_000);
  it.collection.items = Array.from({ length: 600 }, (_, index) => lamp(`lamp-${index}`, index + 1));
  it.collection.onList = (request, response) =>
    it.collection.pages(Number(request.query.get('limit')))(request, response);
  await it.following();
  expect(it.informer.store.size).toBe(600);
  expect(it.collection.lists.map(({ query }) => query.get('limit')).slice(0, 4)).toEqual([
    '500',
    '250',
    '125',
    '125',
  ]);
});

test('a list that is a success without being a list is no reason to forget what is known', async () => {
  const it = await trial();
  it.collection.items = [lamp('one', 1)];
  await it.following();
  it.collection.onList = (_, response) => json(response, 200, { kind: 'Table' });
  it.collection.write('garbage\n');
  await it.pass(() => it.collection.lists.length >= 3, 'some tries', 1000);
  expect(it.names()).toEqual(['one']);
});
