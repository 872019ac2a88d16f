import { describe, expect, test } from '@jest/globals';
import { ApiError } from '../../../../src/kube/api-error.ts';
import { controller, type Outcome } from '../../../../src/kube/controller/controller.ts';
import { NotLeading } from '../../../../src/kube/fenced-client.ts';
import type { WorkQueue } from '../../../../src/kube/queue/work-queue.ts';
import { createLogger } from '../../../../src/lib/log.ts';
import { Metrics } from '../../../../src/lib/metrics.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';

const log = createLogger({ level: 'silent' });

/** A queue that hands out one key and writes down what is asked of it. */
class RecordingQueue implements WorkQueue {
  readonly calls: string[] = [];
  depth = 0;
  overtakenMs = 50;
  #keys = ['a'];
  add = (key: string) => void this.calls.push(`add ${key}`);
  addAfter = (key: string, delayMs: number) => void this.calls.push(`addAfter ${key} ${delayMs}`);
  addUnfinished = (key: string, delayMs: number) => void this.calls.push(`addUnfinished ${key} ${delayMs}`);
  addRateLimited = (key: string) => void this.calls.push(`addRateLimited ${key}`);
  addOvertaken = (key: string) => (this.calls.push(`addOvertaken ${key}`), this.overtakenMs);
  forget = (key: string) => void this.calls.push(`forget ${key}`);
  done = (key: string) => void this.calls.push(`done ${key}`);
  get = () => Promise.resolve(this.#keys.shift());
  shutDown = () => undefined;
}

describe('each outcome leads to one queue action, then done', () => {
  const cases: [string, () => Promise<Outcome>, string[], string][] = [
    ['nothing', async () => undefined, ['forget a'], 'success'],
    ['no wish', async () => ({}), ['forget a'], 'success'],
    ['later', async () => ({ requeueAfterMs: 70 }), ['forget a', 'addAfter a 70'], 'requeue_after'],
    [
      'later, for the rest',
      async () => ({ requeueAfterMs: 1, unfinished: true }),
      ['forget a', 'addUnfinished a 1'],
      'requeue_after',
    ],
    ['soon', async () => ({ requeueAfterMs: 0 }), ['addRateLimited a'], 'requeue'],
    ['no time at all', async () => ({ requeueAfterMs: NaN }), ['addRateLimited a'], 'requeue'],
    ['a failure', () => Promise.reject(new Error('no')), ['addRateLimited a'], 'error'],
    [
      'a throw before the first await',
      () => {
        throw new Error('no');
      },
      ['addRateLimited a'],
      'error',
    ],
    [
      'a conflict',
      () => Promise.reject(new ApiError('newer', { status: 409, reason: 'Conflict' })),
      ['addOvertaken a'],
      'requeue',
    ],
    ['lost leadership', () => Promise.reject(new NotLeading('a write')), ['addOvertaken a'], 'requeue'],
  ];
  test.each(cases)('%s', async (_, reconcile, calls, result) => {
    const queue = new RecordingQueue();
    const metrics = new Metrics();
    const its = controller({
      ...{ name: 'c', queue, workers: 1, reconcile, clock: new FakeClock(), log, metrics },
    });
    const before = await metrics.registry.metrics();
    for (const each of ['success', 'error', 'requeue', 'requeue_after'])
      expect(before).toContain(`controller_runtime_reconcile_total{controller="c",result="${each}"} 0\n`);
    await its.run(new AbortController().signal);
    expect(queue.calls).toEqual([...calls, 'done a']);
    const text = await metrics.registry.metrics();
    expect(text).toContain(`controller_runtime_reconcile_total{controller="c",result="${result}"} 1\n`);
    expect(text).toContain(
      `controller_runtime_reconcile_errors_total{controller="c"} ${result === 'error' ? 1 : 0}\n`,
    );
    expect(text).toContain('controller_runtime_max_concurrent_reconciles{controller="c"} 1\n');
    expect(text).toContain('controller_runtime_active_workers{controller="c"} 0\n');
    expect(text).toContain('controller_runtime_reconcile_time_seconds_count{controller="c"} 1\n');
  });
});

test.each([
  [50, []],
  [20_000, ['warn reconcile met a newer object, will be repeated']],
])(
  'people hear of conflicts only when a key is stuck in them: waiting for %s ms',
  async (overtakenMs, said) => {
    const lines: string[] = [];
    const queue = new RecordingQueue();
    queue.overtakenMs = overtakenMs;
    const conflict = new ApiError('newer', { status: 409, reason: 'Conflict' });
    const its = controller({
      ...{ name: 'c', queue, workers: 1, clock: new FakeClock(), reconcile: () => Promise.reject(conflict) },
      log: createLogger({ destination: { write: (line) => void lines.push(line) } }),
    });
    await its.run(new AbortController().signal);
    const told = lines.map((line) => JSON.parse(line) as { level: string; msg: string });
    expect(told.map(({ level, msg }) => `${level} ${msg}`)).toEqual(said);
  },
);

describe('a run', () => {
  function made(workers: number, laneOf?: (key: string) => string) {
    const clock = new FakeClock();
    const under = new Map<string, (outcome: Error | undefined) => void>();
    const its = controller({
      name: 'c',
      workers,
      laneOf,
      clock,
      log,
      reconcile: (key) =>
        new Promise((resolve, reject) => {
          expect(under.has(key)).toBe(false);
          under.set(key, (error) => {
            under.delete(key);
            if (error === undefined) resolve();
            else reject(error);
          });
        }),
    });
    return { clock, its, under };
  }

  test('works on as many keys at a time as it has workers, and on no key twice', async () => {
    const { its, under } = made(2);
    const end = new AbortController();
    const run = its.run(end.signal);
    for (const key of ['a', 'b', 'c']) its.enqueue(key);
    await settle();
    its.enqueue('a');
    await settle();
    expect([...under.keys()]).toEqual(['a', 'b']);
    under.get('b')?.(undefined);
    await settle();
    expect([...under.keys()]).toEqual(['a', 'c']);
    under.get('a')?.(undefined);
    await settle();
    expect([...under.keys()]).toEqual(['c', 'a']);
    end.abort();
    under.get('a')?.(undefined);
    under.get('c')?.(undefined);
    await run;
  });

  test.each([
    [1, ['a1'], ['a1']],
    [3, ['a1', 'a2'], ['a1', 'a2', 'b1']],
  ])('with %s workers gives one lane %j at a time, and then has %j', async (workers, alone, both) => {
    const { its, under } = made(workers, (key) => key.slice(0, 1));
    const end = new AbortController();
    const run = its.run(end.signal);
    for (const key of ['a1', 'a2', 'a3']) its.enqueue(key);
    await settle();
    expect([...under.keys()]).toEqual(alone);
    its.enqueue('b1');
    await settle();
    expect([...under.keys()]).toEqual(both);
    its.enqueue('a3', { urgent: true });
    end.abort();
    for (const finish of [...under.values()]) finish(undefined);
    await run;
  });

  test('that is aborted takes no more keys, waits for those under way, and loses none for the next', async () => {
    const { clock, its, under } = made(1);
    const end = new AbortController();
    let ended = false;
    const run = its.run(end.signal).then(() => (ended = true));
    its.enqueue('a');
    its.enqueue('b');
    await settle();
    end.abort();
    await settle();
    expect(ended).toBe(false);
    under.get('a')?.(new Error('aborted'));
    await run;
    expect([...under.keys()]).toEqual([]);

    const again = new AbortController();
    const next = its.run(again.signal);
    // Nobody's failure, so it comes back after the moment that a newer object gets.
    await clock.advance(50);
    under.get('b')?.(undefined);
    await settle();
    expect([...under.keys()]).toEqual(['a']);
    again.abort();
    under.get('a')?.(undefined);
    await next;
  });

  test('repeats what fails, later each time', async () => {
    const { clock, its, under } = made(1);
    const end = new AbortController();
    const run = its.run(end.signal);
    its.enqueue('a');
    await settle();
    for (const delayMs of [5, 10, 20]) {
      under.get('a')?.(new Error('no'));
      await clock.advance(delayMs - 1);
      expect(under.size).toBe(0);
      await clock.advance(1);
      expect(under.size).toBe(1);
    }
    end.abort();
    under.get('a')?.(undefined);
    await run;
  });
});

test('a controller without a worker is refused', () => {
  const options = { name: 'c', reconcile: async () => undefined, clock: new FakeClock(), log };
  for (const workers of [0, 1.5, NaN])
    expect(() => controller({ ...options, workers })).toThrow(/workers of controller c is .*whole number/);
});
