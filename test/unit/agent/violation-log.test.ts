import { describe, expect, test } from '@jest/globals';
import { detection, percent } from '../../../src/agent/status/detection.ts';
import type { DropEvent } from '../../../src/agent/status/status.ts';
import { ViolationLog } from '../../../src/agent/status/violation-log.ts';

const event = (summary: string, time: string): DropEvent => ({
  time,
  vm: 'vm-a',
  network: 't/one',
  direction: 'from-vm',
  reason: 'DestinationAddress',
  summary,
  frameBytes: 60,
});

describe('the violations that status shows', () => {
  test('the latest eight kinds of each card, each once, newest last', () => {
    const log = new ViolationLog();
    for (let place = 1; place <= 10; place += 1) log.note('card-a', event(`to ${place}`, `at ${place}`));
    log.note('card-a', event('to 5', 'at 11'));
    log.note('card-b', event('to 1', 'at 12'));
    const kinds = log.of('card-a').map(({ summary, time }) => `${summary} ${time}`);
    expect(kinds).toEqual(
      ['to 3', 'to 4', 'to 6', 'to 7', 'to 8', 'to 9', 'to 10', 'to 5'].map((kind) =>
        expect.stringContaining(kind),
      ),
    );
    expect(kinds.at(-1)).toBe('to 5 at 11');
    expect(log.of('card-b').length).toBe(1);
    log.keepOnly(new Set(['card-b']));
    expect([log.of('card-a'), log.of('card-b').length]).toEqual([[], 1]);
  });
});

test('a scan crowds out itself, and no single kind of another reason', () => {
  const log = new ViolationLog();
  log.note('card-a', { ...event('as somebody else', 'at 0'), reason: 'SourceMac' });
  for (let place = 1; place <= 50; place += 1) {
    if (place === 20) log.note('card-a', { ...event('TCP', 'at 20'), reason: 'Protocol' });
    log.note('card-a', event(`to ${place}`, `at ${place}`));
  }
  const kinds = log.of('card-a').map(({ summary }) => summary);
  expect(kinds).toEqual([
    'as somebody else',
    'TCP',
    ...[45, 46, 47, 48, 49, 50].map((place) => `to ${place}`),
  ]);
});

describe('the time to detection', () => {
  // Mean 1/p; with certainty 95 % after ln 0.05 / ln (1 - p).
  test.each([
    [10_000, '1 %', 100, 299],
    [100_000, '10 %', 10, 29],
    [1, '0.0001 %', 1_000_000, 2_995_731],
    [1_000_000, '100 %', 1, 1],
  ])('of %i in a million', (rate, share, mean, likely) => {
    expect(percent(rate)).toBe(share);
    expect(detection(rate)).toContain(
      `after ${mean} of its kind on average, with 95 % certainty after ${likely}`,
    );
  });
});
