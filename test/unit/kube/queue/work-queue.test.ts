import { describe, expect, test } from '@jest/globals';
import type { LaneOptions } from '../../../../src/kube/queue/lanes.ts';
import { RateLimit } from '../../../../src/kube/queue/rate-limit.ts';
import { type WorkQueue, workQueue } from '../../../../src/kube/queue/work-queue.ts';
import { Metrics } from '../../../../src/lib/metrics.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';

const never = new AbortController().signal;

function made(lanes?: LaneOptions) {
  const clock = new FakeClock();
  const metrics = new Metrics();
  return { clock, metrics, queue: workQueue({ name: 'q', clock, metrics, lanes }) };
}

/** Keys are of the lane that they begin with. */
const byLetter = (most: number): LaneOptions => ({ laneOf: (key) => key.slice(0, 1), most });

async function take(queue: WorkQueue, count: number): Promise<(string | undefined)[]> {
  const keys: (string | undefined)[] = [];
  for (let taken = 0; taken < count; taken += 1) keys.push(await queue.get(never));
  return keys;
}

test('keys come in the order in which they were added, once however often', async () => {
  const { queue } = made();
  for (const key of ['b', 'a', 'b', 'c', 'a']) queue.add(key);
  expect(queue.depth).toBe(3);
  expect([await queue.get(never), await queue.get(never), await queue.get(never)]).toEqual(['b', 'a', 'c']);
});

test('a key that is added while somebody works on it comes once more, after done', async () => {
  const { queue } = made();
  queue.add('a');
  await queue.get(never);
  queue.add('a');
  queue.add('a');
  expect(queue.depth).toBe(0);
  queue.done('a');
  expect(queue.depth).toBe(1);
  expect(await queue.get(never)).toBe('a');
  queue.done('a');
  expect(queue.depth).toBe(0);
});

describe('lanes', () => {
  test('take turns, whatever the others hold, and keep the order of their keys', async () => {
    const { queue } = made(byLetter(Infinity));
    for (const key of ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1']) queue.add(key);
    expect(await take(queue, 7)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4']);
  });

  test('have so many workers at a time; one that waits is for who else comes', async () => {
    const { queue } = made(byLetter(2));
    for (const key of ['a1', 'a2', 'a3', 'a4']) queue.add(key);
    expect(await take(queue, 2)).toEqual(['a1', 'a2']);
    const third = queue.get(never);
    await settle();
    expect(queue.depth).toBe(2);
    queue.add('b1');
    expect(await third).toBe('b1');
    const fourth = queue.get(never);
    queue.done('a2');
    expect(await fourth).toBe('a3');
    expect(queue.depth).toBe(1);
  });

  test('that have all that they may are no reason to wait after shutDown', async () => {
    const { queue } = made(byLetter(1));
    queue.add('a1');
    queue.add('a2');
    expect(await queue.get(never)).toBe('a1');
    const other = queue.get(never);
    queue.shutDown();
    expect(await other).toBeUndefined();
    queue.done('a1');
    expect(await queue.get(never)).toBe('a2');
  });

  test('of no keys at a time are refused', () => {
    for (const most of [0, NaN]) expect(() => made(byLetter(most))).toThrow(/give 1 or more/);
  });
});

describe('an urgent key', () => {
  const urgent = { urgent: true };

  test('goes before those that are not, also when it waited already; one of those goes after eight', async () => {
    const { queue } = made();
    for (const key of ['a', 'b', 'c']) queue.add(key);
    queue.add('c', urgent);
    queue.add('c');
    for (let key = 1; key <= 9; key += 1) queue.add(`u${key}`, urgent);
    expect(queue.depth).toBe(12);
    const eight = ['c', 'u1', 'u2', 'u3', 'u4', 'u5', 'u6', 'u7'];
    expect(await take(queue, 12)).toEqual([...eight, 'a', 'u8', 'u9', 'b']);
  });

  test('takes no turn of another lane', async () => {
    const { queue } = made(byLetter(Infinity));
    for (const key of ['a1', 'b1', 'b2']) queue.add(key);
    for (const key of ['a2', 'a3']) queue.add(key, urgent);
    expect(await take(queue, 5)).toEqual(['a2', 'b1', 'a3', 'b2', 'a1']);
  });

  test.each<[string, (queue: WorkQueue) => void]>([
    ['added again', (queue) => queue.add('a', urgent)],
    ['not finished', (queue) => queue.addUnfinished('a', 1)],
    ['failed', (queue) => queue.addRateLimited('a')],
    ['overtaken', (queue) => void queue.addOvertaken('a')],
  ])('that is %s while a worker has it is urgent the next time', async (_, addAgain) => {
    const { clock, queue } = made();
    queue.add('a', urgent);
    expect(await queue.get(never)).toBe('a');
    queue.add('b');
    addAgain(queue);
    queue.done('a');
    await clock.advance(1000);
    expect(await take(queue, 2)).toEqual(['a', 'b']);
  });

  test('that was done is as any other', async () => {
    const { clock, queue } = made();
    queue.add('a', urgent);
    await queue.get(never);
    queue.add('b');
    queue.addAfter('a', 1);
    queue.done('a');
    await clock.advance(1);
    expect(await take(queue, 2)).toEqual(['b', 'a']);
  });
});

test('who has waited longest gets the next key; who gave up gets none', async () => {
  const { queue } = made();
  const patience = new AbortController();
  const got: string[] = [];
  void queue.get(patience.signal).then((key) => got.push(`first ${String(key)}`));
  void queue.get(never).then((key) => got.push(`second ${String(key)}`));
  void queue.get(never).then((key) => got.push(`third ${String(key)}`));
  patience.abort();
  queue.add('a');
  queue.add('b');
  await settle();
  expect(got).toEqual(['first undefined', 'second a', 'third b']);
  expect(await queue.get(AbortSignal.abort())).toBeUndefined();
});

test('of several delays the one that ends first counts, and adding at once does not cancel it', async () => {
  const { clock, queue } = made();
  queue.addAfter('a', 100);
  queue.addAfter('a', 30);
  queue.addAfter('a', 60);
  queue.add('a');
  expect(await queue.get(never)).toBe('a');
  queue.done('a');
  await clock.advance(29);
  expect(queue.depth).toBe(0);
  await clock.advance(1);
  expect(queue.depth).toBe(1);
  await queue.get(never);
  queue.done('a');
  await clock.advance(1000);
  expect(queue.depth).toBe(0);
});

test('keys that are due while the process is stopped come when it goes on, the most overdue first', async () => {
  const { clock, queue } = made();
  queue.addAfter('late', 200);
  queue.addAfter('early', 100);
  clock.stall(60_000);
  await clock.advance(0);
  expect([await queue.get(never), await queue.get(never)]).toEqual(['early', 'late']);
});

/** How long a key that nothing else competes with waits, by the clock. */
async function waits(clock: FakeClock, queue: WorkQueue, add: () => void): Promise<number> {
  const startMs = clock.monotonicMs();
  add();
  const got = queue.get(never);
  while (queue.depth === 0 && clock.pending > 0) await clock.advance(5);
  queue.done((await got) ?? '');
  return clock.monotonicMs() - startMs;
}

test('failures of a key double its delay from 5 ms to a minute, until it is forgotten', async () => {
  const { clock, queue } = made();
  const delays: number[] = [];
  for (let failure = 0; failure < 17; failure += 1)
    delays.push(await waits(clock, queue, () => queue.addRateLimited('a')));
  expect(delays.slice(0, 5)).toEqual([5, 10, 20, 40, 80]);
  expect(delays.slice(-4)).toEqual([40_960, 60_000, 60_000, 60_000]);
  queue.forget('a');
  expect(await waits(clock, queue, () => queue.addRateLimited('a'))).toBe(5);
});

test('what was overtaken waits a moment, at random, longer only if that repeats, and takes no token', async () => {
  const clock = new FakeClock();
  const rateLimit = new RateLimit({ clock, random: () => 0.5, burst: 1 });
  const queue = workQueue({ name: 'q', clock, rateLimit });
  const delays: number[] = [];
  for (let time = 0; time < 14; time += 1) delays.push(queue.addOvertaken('a'));
  expect(delays.slice(0, 4)).toEqual([37.5, 75, 150, 300]);
  expect(delays.slice(-2)).toEqual([45_000, 45_000]);
  queue.forget('a');
  expect(queue.addOvertaken('a')).toBe(37.5);
  // The one token is still there, and the key's own back-off at its beginning.
  expect(rateLimit.delayMs('a')).toBe(5);
});

test('a hundred keys return by their own back-off, then ten a second; who comes beyond that within ten seconds', async () => {
  const { clock, queue } = made();
  for (let index = 0; index < 1000; index += 1) queue.addRateLimited(`key-${index}`);
  await clock.advance(5);
  expect(queue.depth).toBeGreaterThanOrEqual(100);
  expect(queue.depth).toBeLessThan(120);
  await clock.advance(5_000);
  // They are spread: no more in one half than chance allows.
  expect(queue.depth).toBeGreaterThan(400);
  expect(queue.depth).toBeLessThan(700);
  await clock.advance(5_000);
  expect(queue.depth).toBe(1000);
});

test('after shutDown nothing is added, what waits is handed out, and then everybody is told', async () => {
  const { clock, queue } = made();
  queue.add('held');
  const held = await queue.get(never);
  queue.add('a');
  queue.add('held');
  queue.addAfter('later', 10);
  queue.shutDown();
  queue.shutDown();
  queue.add('b');
  queue.addRateLimited('b');
  expect(await queue.get(never)).toBe('a');
  expect(await queue.get(never)).toBeUndefined();
  queue.done(held!);
  expect(await queue.get(never)).toBe('held');
  await clock.advance(1000);
  expect(await queue.get(never)).toBeUndefined();
  expect(clock.pending).toBe(0);
});

test('shutDown wakes those who wait', async () => {
  const { queue } = made();
  const waiting = queue.get(never);
  queue.shutDown();
  expect(await waiting).toBeUndefined();
});

test('a queue counts under the names of client-go, from zero', async () => {
  const { clock, metrics, queue } = made();
  const text = await metrics.registry.metrics();
  for (const zero of [
    'workqueue_depth{name="q"} 0',
    'workqueue_adds_total{name="q"} 0',
    'workqueue_retries_total{name="q"} 0',
    'workqueue_queue_duration_seconds_count{name="q"} 0',
    'workqueue_work_duration_seconds_count{name="q"} 0',
    'workqueue_unfinished_work_seconds{name="q"} 0',
    'workqueue_longest_running_processor_seconds{name="q"} 0',
  ])
    expect(text).toContain(`\n${zero}\n`);

  for (const key of ['a', 'a', 'b', 'c']) queue.add(key);
  queue.addRateLimited('d');
  await queue.get(never);
  clock.stall(2000);
  await queue.get(never);
  clock.stall(1000);
  const later = await metrics.registry.metrics();
  for (const line of [
    'workqueue_depth{name="q"} 1',
    'workqueue_adds_total{name="q"} 3',
    'workqueue_retries_total{name="q"} 1',
    'workqueue_queue_duration_seconds_sum{name="q"} 2',
    'workqueue_unfinished_work_seconds{name="q"} 4',
    'workqueue_longest_running_processor_seconds{name="q"} 3',
  ])
    expect(later).toContain(`\n${line}\n`);
  queue.done('a');
  expect(await metrics.registry.metrics()).toContain('\nworkqueue_work_duration_seconds_sum{name="q"} 3\n');
});
