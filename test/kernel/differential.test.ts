import { expect } from '@jest/globals';
import { filterObject, runNative } from '../support/c-tests.ts';
import { root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

// Generated frames through the filter as the host compiles it and as the kernel runs it: same reason, and the action,
// mark, frame and counters that belong to it (native/test/differential.c).

const FRAMES = 100_000;

interface Report {
  frames: number;
  hostOnly: number;
  differences: number;
  byReason: Record<'from-vm' | 'to-vm', Record<string, number>>;
  unreached: string[];
}

const { test } = requires(root);

test('10^5 generated frames get the same verdict and reason in C on the host and in the eBPF program', () => {
  const report = JSON.parse(
    runNative('vmn_differential', [filterObject, '--frames', String(FRAMES), '--seed', '1']),
  ) as Report;
  expect(report.differences).toBe(0);
  expect(report.frames).toBeGreaterThanOrEqual(FRAMES);
  expect(report.unreached).toEqual([]);
  // No frame stands for nothing: in each direction some pass and the most common reason is not all there is.
  for (const reasons of Object.values(report.byReason)) {
    const counts = Object.values(reasons);
    expect(reasons['Allowed']).toBeGreaterThan(FRAMES / 100);
    expect(Math.max(...counts)).toBeLessThan(FRAMES / 10);
  }
}, 120_000);
