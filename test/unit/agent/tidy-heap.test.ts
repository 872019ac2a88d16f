import { describe, expect, test } from '@jest/globals';
import { TidyHeap } from '../../../src/agent/host/tidy-heap.ts';
import type { PassObserver } from '../../../src/agent/metrics/pass-observer.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const MEGABYTE = 2 ** 20;
type Passed = Parameters<PassObserver['passed']>;

describe('the heap of an agent', () => {
  const collected: boolean[] = [];
  let used = 0;
  let inUse = 10 * MEGABYTE;
  const heap = {
    usedBytes: () => used,
    collect: (thoroughly: boolean) => {
      collected.push(thoroughly);
      used = Math.min(used, inUse);
    },
  };
  const told: string[] = [];
  const next: PassObserver = {
    began: () => told.push('began'),
    passed: () => told.push('passed'),
    failed: () => told.push('failed'),
  };

  test('is collected a while after a pass, when it has grown, and never without one', async () => {
    const clock = new FakeClock();
    const tidy = new TidyHeap(heap, clock, next);
    used = 20 * MEGABYTE;
    await clock.advance(60_000);
    expect(collected).toEqual([]);

    // However often there is a pass, it is once in ten seconds.
    for (let pass = 0; pass < 9; pass += 1) {
      tidy.began();
      tidy.passed(...([] as unknown as Passed));
      await clock.advance(1000);
    }
    expect(collected).toEqual([]);
    await clock.advance(1000);
    expect(collected).toEqual([true]);
    // Once more, to see that nothing is left.
    await clock.advance(60_000);
    expect(collected).toEqual([true, true]);

    tidy.failed(null);
    used += MEGABYTE / 2;
    await clock.advance(60_000);
    expect(collected).toEqual([true, true]);

    used = 100 * MEGABYTE;
    tidy.failed(null);
    await clock.advance(10_000);
    // A large heap is not collected thoroughly: the event loop stands still meanwhile.
    expect(collected).toEqual([true, true, false]);
    expect(told.filter((what) => what === 'passed')).toHaveLength(9);
    expect(told).toContain('began');
    expect(told).toContain('failed');
  });

  test('that was collected in the midst of a burst is collected again, although it has not grown and no pass comes', async () => {
    const clock = new FakeClock();
    const tidy = new TidyHeap(heap, clock, null);
    collected.length = 0;
    [used, inUse] = [30 * MEGABYTE, 25 * MEGABYTE];
    tidy.failed(null);
    await clock.advance(10_000);
    expect(collected).toEqual([true]);
    inUse = 10 * MEGABYTE;
    await clock.advance(60_000);
    expect(collected).toEqual([true, true, true]);
    expect(used).toBe(inUse);
  });
});
