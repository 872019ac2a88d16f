import { afterEach, describe, expect, test } from '@jest/globals';
import { lamp } from '../transport/client.ts';
import { until, type Answerer } from '../transport/scripted-server.ts';
import { endTrials, trial, type Trial } from './trial.ts';

afterEach(endTrials);

const missing: Answerer = (_, response) => {
  response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n');
};

describe('the end', () => {
  const silent: Answerer = () => undefined;
  const cases: [string, (it: Trial) => Promise<void>][] = [
    [
      'while the first list is awaited',
      async (it) => {
        it.collection.onList = silent;
        it.start();
        await until(() => it.collection.lists.length === 1);
      },
    ],
    [
      'between two pages',
      async (it) => {
        it.collection.items = [lamp('one', 1), lamp('two', 2)];
        const pages = it.collection.pages(1);
        it.collection.onList = (request, response) => {
          if (!request.query.has('continue')) pages(request, response);
        };
        it.start();
        await until(() => it.collection.lists.length === 2);
      },
    ],
    [
      'in the wait after a list that failed',
      async (it) => {
        it.collection.onList = missing;
        it.start();
        await until(() => it.said.length === 1);
      },
    ],
    [
      'while a watch is being opened',
      async (it) => {
        it.collection.onWatch = silent;
        it.start();
        await until(() => it.collection.watches.length === 1);
      },
    ],
    [
      'while a watch is quiet',
      async (it) => {
        await it.following();
      },
    ],
    [
      'in the wait after a watch that broke',
      async (it) => {
        await it.following();
        it.collection.cutWatches();
        await until(() => it.said.length === 1);
      },
    ],
    [
      'while a probe is awaited',
      async (it) => {
        await it.following();
        it.collection.onProbe = silent;
        it.collection.cutWatches();
        await it.pass(() => it.collection.probes.length === 1, 'a probe');
      },
    ],
    [
      'in the wait before a second list',
      async (it) => {
        await it.following();
        it.collection.write('garbage\n');
        await until(() => it.said.length === 1);
      },
    ],
  ];

  test.each(cases)('%s: the informer ends at once, and leaves no timer and no request', async (_, until_) => {
    const it = await trial();
    await until_(it);
    await it.stop();
    expect(it.clock.pending).toBe(0);
    await until(() => it.collection.server.busy === 0, 'no request is left');
    const before = it.collection.server.requests.length;
    await it.clock.advance(3_600_000);
    expect(it.collection.server.requests).toHaveLength(before);
  });

  test('before the first list: whoever waits for it is told', async () => {
    const it = await trial();
    it.collection.onList = silent;
    it.start();
    const waiting = expect(it.informer.synced()).rejects.toThrow('the test is over');
    await it.stop();
    await waiting;
  });

  test('an informer is started once', async () => {
    const it = await trial();
    await it.following();
    await expect(it.informer.start(new AbortController().signal)).rejects.toThrow('started twice');
  });
});
