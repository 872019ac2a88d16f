import { describe, expect, test } from '@jest/globals';
import { type Clock, systemClock } from '../../../src/lib/clock.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';

test('the monotonic clock does not go back, and counts the same in both units', () => {
  const readings = Array.from({ length: 1000 }, () => systemClock.monotonicNs());
  expect(readings.every((reading, index) => index === 0 || reading >= (readings[index - 1] ?? 0n))).toBe(
    true,
  );
  expect(systemClock.monotonicMs() - Number(systemClock.monotonicNs()) / 1e6).toBeCloseTo(0, -1);
  expect(systemClock.now()).toBeInstanceOf(Date);
  expect(Math.abs(systemClock.nowMs() - Date.now())).toBeLessThan(1000);
});

describe.each<[string, Clock]>([
  ['the system', systemClock],
  ['a test', ticking()],
])('timers of the clock of %s', (_, clock) => {
  test('do not run early', async () => {
    for (const delayMs of [0, 0.3, 1, 3.75, 20]) {
      const startMs = clock.monotonicMs();
      await clock.sleep(delayMs);
      expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(delayMs);
    }
  });

  test('do not run once cancelled', async () => {
    let ran = false;
    const timer = clock.setTimer(1, () => (ran = true));
    timer.cancel();
    timer.cancel();
    await clock.sleep(5);
    expect(ran).toBe(false);
  });

  test('that are further off than Node can wait do not run at once', async () => {
    let ran = false;
    const timer = clock.setTimer(2 ** 31 + 10, () => (ran = true));
    await clock.sleep(5);
    timer.cancel();
    expect(ran).toBe(false);
  });

  test('a sleep ends with its signal and for its reason', async () => {
    const end = new AbortController();
    const sleep = clock.sleep(60_000, end.signal);
    end.abort(new Error('enough'));
    await expect(sleep).rejects.toThrow('enough');
    await expect(clock.sleep(1, end.signal)).rejects.toThrow('enough');
    await expect(clock.sleep(1, AbortSignal.abort('a word'))).rejects.toMatchObject({ name: 'AbortError' });
  });
});

test('a clock of a test runs what is due in order, and what that leads to, before it goes on', async () => {
  const clock = new FakeClock();
  const startMs = clock.monotonicMs();
  const seen: string[] = [];
  const note = (what: string) => seen.push(`${what} ${clock.monotonicMs() - startMs}`);
  clock.setTimer(20, () => note('second'));
  clock.setTimer(20, () => note('third'));
  clock.setTimer(10, () => {
    note('first');
    void clock.sleep(5).then(() => note('led to'));
  });
  clock.setTimer(21, () => note('never'));
  await clock.advance(20);
  expect(seen).toEqual(['first 10', 'led to 15', 'second 20', 'third 20']);
  clock.stall(100);
  clock.stepWall(-5000);
  expect([clock.pending, clock.nowMs()]).toEqual([1, Date.UTC(2026, 0, 1) + 120 - 5000]);
});

/** A FakeClock whose time passes of itself. */
function ticking(): Clock {
  const clock = new FakeClock();
  const pass = () =>
    void settle()
      .then(() => clock.advance(1))
      .then(() => clock.pending > 0 && pass());
  const setTimer: Clock['setTimer'] = (delayMs, run) => {
    const timer = clock.setTimer(delayMs, run);
    pass();
    return timer;
  };
  const sleep: Clock['sleep'] = (delayMs, signal) => {
    const slept = clock.sleep(delayMs, signal);
    pass();
    return slept;
  };
  return Object.assign(Object.create(clock) as Clock, {
    monotonicMs: () => clock.monotonicMs(),
    setTimer,
    sleep,
  });
}
