import { describe, expect, test } from '@jest/globals';
import { compare, skip } from '../../../bench/compare.ts';
import { isMeasured, type Naming } from '../../../bench/row.ts';

const COST: Naming = { id: 'c', group: 'filter', number: 'P1', what: 'a', against: 'b', unit: 'ns' };
const RATIO: Naming = { ...COST, id: 'r', unit: 'x' };
const AIMS = { gate: 15, aim: 8 };

describe('a comparison', () => {
  test('in ns is ours minus the other, within each round', () => {
    // The machine is ten times slower in the last round: the differences of medians would be another figure.
    const row = compare(COST, { ours: [50, 52, 520], other: [40, 41, 505], frames: 3 }, null, 'x');
    expect(row).toMatchObject({ median: 11, n: 3, frames: 3, sides: { ours: 52, other: 41 } });
    expect(row.iqr).toEqual([10.5, 13]);
  });

  test('as a ratio is how many times cheaper ours is', () => {
    expect(compare(RATIO, { ours: [100, 200], other: [300, 600], frames: 1 }, null, 'x').median).toBe(3);
  });

  test.each([
    ['ns', 15, true],
    ['ns', 15.01, false],
    ['ns', 7, true],
    ['x', 15, true],
    ['x', 14.99, false],
  ] as const)('in %s of %d against a gate of 15 passes: %j', (unit, figure, pass) => {
    const pairs =
      unit === 'ns'
        ? { ours: [figure + 100], other: [100], frames: 1 }
        : { ours: [1], other: [figure], frames: 1 };
    expect(compare({ ...COST, unit }, pairs, AIMS, 'x')).toMatchObject({ pass, gate: 15, aim: 8 });
  });

  test('without a target neither passes nor fails', () => {
    expect(compare(COST, { ours: [1], other: [1], frames: 1 }, null, 'x')).toMatchObject({
      gate: null,
      aim: null,
      pass: null,
    });
  });

  test('judges the figure that it shows', () => {
    const row = compare(COST, { ours: [15.004], other: [0], frames: 1 }, AIMS, 'x');
    expect(row).toMatchObject({ median: 15, pass: true });
  });

  test.each([
    [[1, 2], [1]],
    [[1], [1, 2]],
    [[], []],
  ])('of %j with %j is refused', (ours, other) => {
    expect(() => compare(COST, { ours, other, frames: 1 }, null, 'x')).toThrow(RangeError);
  });

  test('that could not be made is a row with its reason, and no figure', () => {
    const row = skip(RATIO, 'needs nft', AIMS, 'x');
    expect(isMeasured(row)).toBe(false);
    expect(row).toMatchObject({ skipped: 'needs nft', gate: 15 });
  });
});
