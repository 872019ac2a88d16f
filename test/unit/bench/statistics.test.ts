import { describe, expect, test } from '@jest/globals';
import { spreadOf } from '../../../bench/statistics.ts';

describe('the spread of measurements', () => {
  test('is the middle one of an odd number, whatever their order', () => {
    expect(spreadOf([9, 1, 5]).median).toBe(5);
    expect(spreadOf([10, 9, 100]).median).toBe(10);
  });

  test('is the mean of the middle two of an even number', () => {
    expect(spreadOf([4, 1, 3, 2]).median).toBe(2.5);
  });

  // Quartiles of 1 to 5 and of 1 to 8 as R's quantile() gives them by default (type 7).
  test.each([
    [
      [1, 2, 3, 4, 5],
      [2, 4],
    ],
    [
      [8, 7, 6, 5, 4, 3, 2, 1],
      [2.75, 6.25],
    ],
    [[7], [7, 7]],
  ])('of %j has the quartiles %j', (values, quartiles) => {
    expect(spreadOf(values)).toMatchObject({ quartiles, n: values.length });
  });

  test('forgets a few wild values: that is why it is not the mean', () => {
    const calm = Array.from({ length: 21 }, (_, at) => 10 + at / 100);
    const { median, quartiles } = spreadOf([...calm.slice(4), 5000, 5000, 5000, 5000]);
    expect(median).toBeLessThan(10.3);
    expect(quartiles[0]).toBeGreaterThanOrEqual(10);
  });

  test('leaves the values as they were', () => {
    const values = [3, 1, 2];
    spreadOf(values);
    expect(values).toEqual([3, 1, 2]);
  });

  test.each([[[]], [[1, Number.NaN]], [[Number.POSITIVE_INFINITY]]])('of %j is refused', (values) => {
    expect(() => spreadOf(values)).toThrow(RangeError);
  });
});
