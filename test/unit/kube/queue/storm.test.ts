import { describe, expect, test } from '@jest/globals';
import { type WorkQueue, workQueue } from '../../../../src/kube/queue/work-queue.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const NEVER = new AbortController().signal;
const MINUTE = 60_000;
const KEYS = 2_000;
/** How often the worker looks. */
const STEP_MS = 100;

/** Keys that fail while the server is ill, or for ever, worked on by a worker that takes no time. */
class Storm {
  readonly clock = new FakeClock();
  readonly queue: WorkQueue = workQueue({ name: 'q', clock: this.clock });
  /** When each key was tried, ms since the start. */
  readonly tries = new Map<string, number[]>();
  readonly hopeless = new Set<string>();
  readonly done = new Set<string>();
  readonly #startMs = this.clock.monotonicMs();
  ill = true;

  constructor(keys: number) {
    for (let key = 0; key < keys; key += 1) this.queue.add(`key-${key}`);
  }

  get nowMs(): number {
    return this.clock.monotonicMs() - this.#startMs;
  }

  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    for (; this.nowMs < endMs; await this.clock.advance(STEP_MS)) await this.#work();
    await this.#work();
  }

  /** Tries of all keys since then. */
  triesSince(ms: number): number {
    return [...this.tries.values()].flat().filter((at) => at >= ms).length;
  }

  async #work(): Promise<void> {
    while (this.queue.depth > 0) {
      const key = (await this.queue.get(NEVER)) ?? '';
      const tries = this.tries.get(key);
      if (tries === undefined) this.tries.set(key, [this.nowMs]);
      else tries.push(this.nowMs);
      if (this.ill || this.hopeless.has(key)) this.queue.addRateLimited(key);
      else {
        this.done.add(key);
        this.queue.forget(key);
      }
      this.queue.done(key);
    }
  }
}

describe('thousands of keys that fail', () => {
  test('are each tried about once a minute, spread over it, and none waits longer than 70 s', async () => {
    const storm = new Storm(KEYS);
    await storm.pass(5 * MINUTE);
    const settledMs = 3 * MINUTE;
    const everyTenSeconds = Array.from({ length: 12 }, () => 0);
    let longestMs = 0;
    for (const tries of storm.tries.values()) {
      for (const [index, at] of tries.entries()) {
        longestMs = Math.max(longestMs, at - (tries[index - 1] ?? 0));
        if (at > settledMs) everyTenSeconds[Math.floor((at - settledMs - 1) / 10_000)]! += 1;
      }
    }
    expect(longestMs).toBeLessThanOrEqual(70_000 + STEP_MS);
    // All of them in 65 s, were they spread evenly; and few more before each is at its minute.
    expect(Math.max(...everyTenSeconds)).toBeLessThan((KEYS / 6.5) * 2.5);
    expect(storm.triesSince(settledMs)).toBeLessThan(KEYS * 2.2);
    expect(storm.triesSince(0)).toBeLessThan(KEYS * 9);
  });

  test('for an outage of ten minutes are done within a second of its end', async () => {
    const storm = new Storm(KEYS);
    await storm.pass(10 * MINUTE);
    storm.ill = false;
    const healedMs = storm.nowMs;
    await storm.pass(1000);
    expect(storm.done.size).toBe(KEYS);
    await storm.pass(2 * MINUTE);
    // Once each, and not again when the wait ends that was cut short.
    expect(storm.triesSince(healedMs + 1)).toBeLessThanOrEqual(KEYS);
    expect(storm.clock.pending).toBe(0);
  });

  test('and would for ever cost two tries for each key that recovers, and delay none of another reason', async () => {
    const storm = new Storm(KEYS);
    for (let key = 0; key < KEYS; key += 2) storm.hopeless.add(`key-${key}`);
    await storm.pass(5 * MINUTE);
    storm.ill = false;
    const healedMs = storm.nowMs;
    await storm.pass(2 * MINUTE);
    const half = KEYS / 2;
    expect(storm.done.size).toBe(half);
    const ofTheirOwn = 2 * half;
    expect(storm.triesSince(healedMs + 1)).toBeLessThan(half + 2 * half + ofTheirOwn);

    storm.queue.addRateLimited('another');
    const askedMs = storm.nowMs;
    await storm.pass(11_000);
    expect(storm.tries.get('another')?.[0]).toBeLessThanOrEqual(askedMs + 10_005 + STEP_MS);
  });
});

test('one key that recovers hastens two others, those that have waited longest', async () => {
  const storm = new Storm(4);
  await storm.pass(10 * MINUTE);
  storm.hopeless.add('key-1').add('key-2').add('key-3');
  storm.ill = false;
  const before = storm.triesSince(0);
  storm.queue.add('key-0');
  await storm.pass(0);
  expect(storm.done).toEqual(new Set(['key-0']));
  expect(storm.triesSince(0)).toBe(before + 3);
});

test('a key that is done without having failed hastens none', async () => {
  const storm = new Storm(4);
  await storm.pass(10 * MINUTE);
  storm.ill = false;
  for (const key of storm.tries.keys()) storm.hopeless.add(key);
  const before = storm.triesSince(0);
  storm.queue.add('well');
  await storm.pass(0);
  expect(storm.triesSince(0)).toBe(before + 1);
});
