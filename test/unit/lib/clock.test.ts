import { expect, test } from '@jest/globals';
import { systemClock } from '../../../src/lib/clock.ts';

test('the monotonic clock does not go back', () => {
  const readings = Array.from({ length: 1000 }, () => systemClock.monotonicNs());
  expect(readings.every((reading, index) => index === 0 || reading >= (readings[index - 1] ?? 0n))).toBe(
    true,
  );
  expect(systemClock.now()).toBeInstanceOf(Date);
});
