import { expect, test } from '@jest/globals';
import { CaptureClock, isoTime } from '../../../../src/cli/explain/judge/capture-clock.ts';

test('goes with the capture and never back; a frame without a time has that of the frame before', () => {
  const clock = new CaptureClock();
  expect([null, 5n, 3n, null, 9n].map((time) => clock.at(time))).toEqual([0n, 5n, 5n, 5n, 9n]);
});

test('stays within what the filter counts in', () => {
  expect(new CaptureClock().at(-1n)).toBe(0n);
  expect(new CaptureClock().at(1n << 90n)).toBe((1n << 63n) - 1n);
});

test.each([
  [1_767_225_600_000_000_007n, '2026-01-01T00:00:00.000000007Z'],
  [0n, '1970-01-01T00:00:00.000000000Z'],
  [253_402_300_799_999_999_999n, '9999-12-31T23:59:59.999999999Z'],
  [253_402_300_800_000_000_000n, null],
  [1n << 90n, null],
  [-1n, null],
  [null, null],
])('%s is %s', (timeNs, text) => {
  expect(isoTime(timeNs)).toBe(text);
});
