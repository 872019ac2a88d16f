import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DelayedKeys } from '../../../src/kube/queue/delayed-keys.ts';
import { Fifo } from '../../../src/kube/queue/fifo.ts';
import type { LaneOptions } from '../../../src/kube/queue/lanes.ts';
import { RateLimit } from '../../../src/kube/queue/rate-limit.ts';
import { type WorkQueue, workQueue } from '../../../src/kube/queue/work-queue.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';

const KEYS = ['a', 'b', 'c', 'd'] as const;

type Word = 'add' | 'addUrgent' | 'addRateLimited' | 'addOvertaken' | 'forget';

type Step =
  | { readonly do: 'tell'; readonly what: Word; readonly key: string }
  | { readonly do: 'addAfter'; readonly key: string; readonly ms: number }
  | { readonly do: 'get' | 'give-up' | 'done'; readonly nth: number }
  | { readonly do: 'wait'; readonly ms: number };

const key = fc.constantFrom(...KEYS);
const ms = fc.integer({ min: 0, max: 40 });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('tell' as const),
        what: fc.constantFrom<Word[]>(
          'add',
          'addUrgent',
          'addRateLimited',
          'addRateLimited',
          'addOvertaken',
          'forget',
        ),
        key,
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('addAfter' as const), key, ms }) },
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constantFrom('get', 'give-up', 'done', 'done'), nth: fc.nat(9) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms }) },
  ),
  { maxLength: 80 },
);

/** What the queue owes, and who works on what. Fails when a key comes that is not owed, or that somebody has. */
class Model {
  readonly clock = new FakeClock();
  readonly queue: WorkQueue;
  readonly working: string[] = [];
  readonly waiting: AbortController[] = [];
  readonly #wrong: string[] = [];
  readonly #owed = new Set<string>();
  readonly #dueMs = new Map<string, number>();
  /** Keys that wait because they failed, the longest first. */
  readonly #failed = new Set<string>();
  /** Answers the same as the one that the queue asks, a call for a call. */
  readonly #limit: RateLimit;
  #delays = 0;

  constructor(lanes?: LaneOptions) {
    // No delay ends at the same instant as anything else, so that what is owed when is never a matter of order.
    const limits = { clock: this.clock, initialMs: 5.00003, burst: 5, stormMs: 30, random: () => 0.123456 };
    this.#limit = new RateLimit(limits);
    this.queue = workQueue({ name: 'q', clock: this.clock, rateLimit: new RateLimit(limits), lanes });
  }

  tell(what: Word, key: string): void {
    this.#passDue();
    if (what === 'add' || what === 'addUrgent') this.#comeDue(key, false);
    if (what === 'addOvertaken') this.#delay(key, this.#limit.overtakenMs(key));
    if (what === 'addRateLimited') {
      this.#failed.add(key);
      this.#delay(key, this.#limit.delayMs(key));
    }
    if (what === 'forget') {
      this.#failed.delete(key);
      const hastened = this.#limit.forget(key) ? [...this.#failed].slice(0, 2) : [];
      for (const one of hastened) this.#comeDue(one);
    }
    if (what === 'addUrgent') this.queue.add(key, { urgent: true });
    else this.queue[what](key);
  }

  addAfter(added: string, delayMs: number): void {
    if (delayMs === 0) this.#comeDue(added, false);
    else delayMs += 1e-4 * (this.#delays += 1);
    if (delayMs > 0) this.#delay(added, delayMs);
    this.queue.addAfter(added, delayMs);
  }

  get(): void {
    const patience = new AbortController();
    this.waiting.push(patience);
    void this.queue.get(patience.signal).then((got) => {
      this.waiting.splice(this.waiting.indexOf(patience), 1);
      if (got === undefined) return;
      this.#passDue();
      if (this.working.includes(got)) this.#wrong.push(`${got} is with two workers`);
      if (!this.#owed.delete(got)) this.#wrong.push(`${got} came unasked`);
      this.working.push(got);
    });
  }

  done(nth: number): void {
    const [finished] = this.working.splice(nth % this.working.length, 1);
    if (finished !== undefined) this.queue.done(finished);
  }

  /** Every key that is owed has come, once worker after worker was there for it. */
  async drain(): Promise<void> {
    await this.clock.advance(2_000_000);
    for (let round = 0; round < 20; round += 1) {
      while (this.working.length > 0) this.done(0);
      this.get();
      await settle();
    }
    expect(this.#wrong).toEqual([]);
    expect([...this.#owed, ...this.#dueMs.keys()]).toEqual([]);
    expect(this.queue.depth).toBe(0);
    expect(this.clock.pending).toBe(0);
  }

  #delay(delayed: string, delayMs: number): void {
    const dueMs = this.clock.monotonicMs() + delayMs;
    this.#passDue();
    this.#dueMs.set(delayed, Math.min(dueMs, this.#dueMs.get(delayed) ?? Infinity));
  }

  #passDue(): void {
    for (const [delayed, dueMs] of this.#dueMs) {
      if (dueMs <= this.clock.monotonicMs()) this.#comeDue(delayed);
    }
  }

  #comeDue(key: string, isDelayed = true): void {
    if (isDelayed) this.#dueMs.delete(key);
    this.#failed.delete(key);
    this.#owed.add(key);
  }
}

test.each<[string, LaneOptions | undefined]>([
  ['one lane', undefined],
  ['lanes, each with one worker at a time', { laneOf: (of) => (of < 'c' ? 'low' : 'high'), most: 1 }],
])('no key is lost, comes unasked, comes twice, or is with two workers: %s', async (_, lanes) => {
  await fc.assert(
    fc.asyncProperty(steps, async (story) => {
      const model = new Model(lanes);
      for (const step of story) {
        if (step.do === 'addAfter') model.addAfter(step.key, step.ms);
        else if (step.do === 'wait') await model.clock.advance(step.ms);
        else if (step.do === 'get') model.get();
        else if (step.do === 'done') model.done(step.nth);
        else if (step.do === 'tell') model.tell(step.what, step.key);
        else model.waiting[step.nth % model.waiting.length]?.abort();
        await settle();
      }
      await model.drain();
    }),
    { numRuns: 1000 },
  );
});

test('delayed keys come in the order in which they are due, each once, at its earliest', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(30), fc.nat(1000)), { maxLength: 200 }), (added) => {
      const keys = new DelayedKeys();
      const earliest = new Map<string, number>();
      for (const [name, dueMs] of added) {
        keys.add(String(name), dueMs);
        earliest.set(String(name), Math.min(dueMs, earliest.get(String(name)) ?? Infinity));
      }
      expect(keys.size).toBe(earliest.size);
      const taken = keys.takeDue(499).concat(keys.takeDue(1000));
      expect(taken.map((name) => earliest.get(name))).toEqual([...earliest.values()].sort((a, b) => a - b));
      expect([keys.size, keys.nextDueMs()]).toEqual([0, null]);
    }),
  );
});

test('a Fifo is an array whose front costs nothing', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat())), (story) => {
      const fifo = new Fifo<number>();
      const model: number[] = [];
      for (const item of story) {
        if (item === null) expect(fifo.shift()).toBe(model.shift());
        else {
          fifo.push(item);
          model.push(item);
        }
        expect(fifo.size).toBe(model.length);
      }
    }),
  );
});
