import { expect, test } from '@jest/globals';
import { Backoff, backoffMs } from '../../../src/lib/backoff.ts';
import { TokenBucket } from '../../../src/lib/token-bucket.ts';
import { FakeClock } from '../../support/fake-clock.ts';

test('a back-off doubles up to its longest, and begins anew after a success', () => {
  const backoff = new Backoff({ initialMs: 100, longestMs: 1000 });
  const delays = Array.from({ length: 6 }, () => backoff.nextMs());
  expect([delays, backoff.failures]).toEqual([[100, 200, 400, 800, 1000, 1000], 6]);
  backoff.reset();
  expect([backoff.nextMs(), backoff.failures]).toEqual([100, 1]);
});

test('jitter only shortens, and by no more than its share', () => {
  const options = { initialMs: 100, longestMs: 1000, factor: 3, jitter: 0.5 };
  expect(backoffMs(1, { ...options, random: () => 0 })).toBe(300);
  expect(backoffMs(1, { ...options, random: () => 0.5 })).toBe(225);
  expect(backoffMs(9, { ...options, random: () => 1 - Number.EPSILON })).toBeCloseTo(500);
});

test('no number of failures leads out of bounds', () => {
  expect(backoffMs(5000, { initialMs: 5, longestMs: 70 })).toBe(70);
  expect(backoffMs(5000, { initialMs: 0, longestMs: 70 })).toBe(0);
});

test('a bucket gives its burst at once and then its rate, whether taken or reserved', async () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket({ perSecond: 10, burst: 2, clock });
  expect([bucket.full, bucket.tryTake(), bucket.tryTake(), bucket.tryTake()]).toEqual([
    true,
    true,
    true,
    false,
  ]);
  await clock.advance(100);
  expect([bucket.tryTake(), bucket.tryTake(), bucket.full]).toEqual([true, false, false]);
  expect([bucket.reserveMs(), bucket.reserveMs()]).toEqual([100, 200].map((ms) => expect.closeTo(ms)));
  await clock.advance(60_000);
  expect([bucket.full, bucket.reserveMs(), bucket.reserveMs(), bucket.reserveMs()]).toEqual([
    true,
    0,
    0,
    100,
  ]);
});
