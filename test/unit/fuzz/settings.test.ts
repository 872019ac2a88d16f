import { describe, expect, test } from '@jest/globals';
import { readSettings, SettingsError } from '../../../scripts/fuzz/settings.ts';
import { lanesOf, TARGETS } from '../../../scripts/fuzz/target.ts';

describe('the settings of make fuzz', () => {
  test('are a minute and 10^5 frames, and 10^7 frames where there is time for them', () => {
    expect(readSettings([], {})).toMatchObject({ seconds: 60, frames: 100_000 });
    expect(readSettings([], { FUZZ_SECONDS: '600' })).toMatchObject({ seconds: 600, frames: 10_000_000 });
    expect(readSettings([], { FUZZ_SECONDS: '1800', FUZZ_FRAMES: '7' })).toMatchObject({ frames: 7 });
    expect(readSettings(['parse'], { FUZZ_SEED: '9' })).toMatchObject({ targets: ['parse'], seed: 9 });
  });

  test('have a seed of their own when none is given', () => {
    const seeds = [0, 0.5, 0.999_999_999_9].map((random) => readSettings([], {}, () => random).seed);
    expect(seeds).toEqual([1, 2 ** 30 + 1, 2 ** 31]);
  });

  test.each([
    [{ FUZZ_SECONDS: 'ten' }, 'FUZZ_SECONDS is "ten": give a whole number from 0 to 604800'],
    [{ FUZZ_SECONDS: '-1' }, 'FUZZ_SECONDS is "-1": give a whole number from 0 to 604800'],
    [{ FUZZ_FRAMES: '1e7' }, 'FUZZ_FRAMES is "1e7": give a whole number from 0 to 1000000000'],
    [{ FUZZ_SEED: '0' }, 'FUZZ_SEED is "0": give a whole number from 1 to 2147483648'],
  ])('%j makes no sense, and is told so', (environment, message) => {
    expect(() => readSettings([], environment)).toThrow(new SettingsError(message));
  });

  test('know their targets', () => {
    expect(() => readSettings(['verdict'], {})).toThrow(
      'no target verdict: there are judge, sequence, policy, parse',
    );
  });
});

describe('the time of the fuzzers', () => {
  const names = TARGETS.map(({ name }) => name);

  test('is shared on every core, which begin with different targets', () => {
    const lanes = lanesOf(names, 90, 3);
    for (const lane of lanes) {
      expect(lane.map(({ target }) => target).toSorted()).toEqual(names.toSorted());
      expect(lane.reduce((sum, { seconds }) => sum + seconds, 0)).toBe(90);
    }
    expect(new Set(lanes.map(([first]) => first?.target)).size).toBe(3);
    expect(lanes[0]).toEqual([
      { target: 'judge', seconds: 30 },
      { target: 'sequence', seconds: 30 },
      { target: 'policy', seconds: 20 },
      { target: 'parse', seconds: 10 },
    ]);
  });

  test('is all of one target when there is one, and none when there is none', () => {
    expect(lanesOf(['parse'], 30, 2)).toEqual([
      [{ target: 'parse', seconds: 30 }],
      [{ target: 'parse', seconds: 30 }],
    ]);
    expect(lanesOf(names, 0, 2)).toEqual([]);
    expect(lanesOf([], 10, 2)).toEqual([]);
  });
});
