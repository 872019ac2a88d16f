import { afterEach, describe, expect, test } from '@jest/globals';
import type { DesiredAttachment } from '../../../src/agent/attachment/desired.ts';
import { ReconcileLoop } from '../../../src/agent/attachment/loop.ts';
import { RetryTable } from '../../../src/agent/attachment/retry.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { VmnError } from '../../../src/lib/errors.ts';
import { createLogger } from '../../../src/lib/log.ts';
import { poll } from '../../support/lab/poll.ts';

const MS = 1_000_000n;
const ERROR = new VmnError('VMN_NETLINK', { attempted: 'test' });
const GONE: DesiredAttachment = { want: 'gone', vm: 'vm', reason: '' };
const DENY: DesiredAttachment = { want: 'deny', vm: 'vm', network: null, reason: '' };

describe('retries', () => {
  test('wait twice as long each time, up to half a minute', () => {
    const table = new RetryTable();
    const delays = Array.from({ length: 9 }, () => {
      table.failed('tap', GONE, ERROR, 0n);
      return Number((table.nextRetryNs() ?? 0n) / MS);
    });
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  test('hold back until then, unless something else is wanted or it succeeded', () => {
    const table = new RetryTable();
    table.failed('tap', GONE, ERROR, 0n);
    expect(table.heldBack('tap', { ...GONE }, 499n * MS)).toBe(ERROR);
    expect(table.heldBack('tap', DENY, 1n)).toBeNull();
    expect(table.heldBack('other', GONE, 1n)).toBeNull();
    expect(table.heldBack('tap', GONE, 500n * MS)).toBeNull();
    table.succeeded('tap');
    expect([table.heldBack('tap', GONE, 1n), table.nextRetryNs()]).toEqual([null, null]);
  });

  test('forget attachments that are gone', () => {
    const table = new RetryTable();
    table.failed('tap', GONE, ERROR, 0n);
    table.keepOnly(new Set());
    expect(table.nextRetryNs()).toBeNull();
  });
});

describe('the loop', () => {
  const loops: ReconcileLoop[] = [];
  afterEach(async () => {
    for (const loop of loops.splice(0)) await loop.stop();
  });

  function loopOf(
    pass: () => Promise<void>,
    over: Partial<ConstructorParameters<typeof ReconcileLoop>[0]> = {},
  ) {
    const log = createLogger({ level: 'silent' });
    const options = { resyncMs: 60_000, nextRetryNs: () => null, clock: systemClock, gatherMs: 5, log };
    const loop = new ReconcileLoop({ ...options, ...over, pass });
    loops.push(loop);
    return loop;
  }

  test('gathers requests into one pass, and never runs two at once', async () => {
    let running = 0;
    let most = 0;
    let passes = 0;
    const loop = loopOf(async () => {
      most = Math.max(most, (running += 1));
      passes += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
      running -= 1;
    });
    for (let index = 0; index < 50; index += 1) loop.request();
    await poll('the first pass', () => passes === 1);
    for (let index = 0; index < 50; index += 1) loop.request();
    await poll('the second pass', () => loop.passes === 2);
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect([passes, most]).toEqual([2, 1]);
  });

  test('a request after a quiet time is not gathered, one soon after a pass is', async () => {
    let nowNs = 0n;
    const clock = { ...systemClock, monotonicNs: () => nowNs };
    const loop = loopOf(() => Promise.resolve(), { gatherMs: 60_000, clock });
    nowNs = 60_000n * MS;
    loop.request();
    await poll('a pass at once', () => loop.passes === 1);
    loop.request();
    nowNs += 59_000n * MS;
    // Due, and not begun.
    expect([loop.passes, loop.overdueMs]).toEqual([1, 0]);
  });

  test('a request at once is not gathered: soon after a pass, during one, or when another one waits', async () => {
    let began = 0;
    let end: () => void = () => undefined;
    const pass = (): Promise<void> => {
      began += 1;
      return new Promise((resolve) => (end = resolve));
    };
    // What is gathered does not come while this runs.
    const loop = loopOf(pass, { gatherMs: 60_000 });
    loop.request();
    loop.requestAtOnce();
    await poll('the first pass', () => began === 1);
    loop.request();
    loop.requestAtOnce();
    end();
    await poll('the second pass', () => began === 2);
    end();
    await poll('its end', () => loop.passes === 2);
    loop.requestAtOnce();
    await poll('the third pass', () => began === 3);
    end();
  });

  test('runs by itself every resync period, also after a pass that threw', async () => {
    let passes = 0;
    const loop = loopOf(
      () => {
        passes += 1;
        return passes === 1 ? Promise.reject(new Error('once')) : Promise.resolve();
      },
      { resyncMs: 15 },
    );
    loop.request();
    await poll('several passes', () => passes >= 4);
    expect(loop.idleMs).toBeLessThan(5000);
  });

  test('runs when a retry is due', async () => {
    let due: bigint | null = null;
    let passes = 0;
    const loop = loopOf(
      () => {
        passes += 1;
        due = passes === 1 ? systemClock.monotonicNs() + 30n * MS : null;
        return Promise.resolve();
      },
      { nextRetryNs: () => due },
    );
    loop.request();
    await poll('the retry', () => passes === 2, { deadlineMs: 2000 });
  });

  test('says how long a pass is due or under way', async () => {
    let end: () => void = () => undefined;
    const loop = loopOf(() => new Promise<void>((resolve) => (end = resolve)), { resyncMs: 60_000 });
    expect(loop.overdueMs).toBe(0);
    loop.request();
    await poll('a pass that does not end', () => loop.overdueMs >= 20);
    end();
    await poll('its end', () => loop.passes === 1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(loop.overdueMs).toBe(0);
  });

  test('stop waits for the pass that is under way and lets none follow', async () => {
    let ended = false;
    const loop = loopOf(async () => {
      await new Promise((resolve) => setTimeout(resolve, 40));
      ended = true;
    });
    loop.request();
    await new Promise((resolve) => setTimeout(resolve, 20));
    loop.request();
    await loop.stop();
    expect([ended, loop.passes]).toEqual([true, 1]);
    loop.request();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(loop.passes).toBe(1);
  });
});
