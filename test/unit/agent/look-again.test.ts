import { describe, expect, test } from '@jest/globals';
import { LookAgain } from '../../../src/agent/attachment/look-again.ts';
import type { AttachmentResult } from '../../../src/agent/attachment/rounds.ts';

const MS = 1_000_000n;

const seen = (tap: string, claimed: boolean, carrier: boolean, more: object = {}): AttachmentResult =>
  ({
    tap,
    observed: { claimed, link: { carrier }, beside: { ours: [] } },
    ...more,
  }) as unknown as AttachmentResult;

test('a host that could not do something is tried again, until it can', () => {
  const again = new LookAgain();
  const problem = { on: 'nftables', error: { code: 'VMN_NFT_FAILED', message: '', remedy: '' } } as const;
  again.passed([], [problem], [], 0n);
  expect(again.nextNs()).toBe(50n * MS);
  again.passed([], [problem], [], 50n * MS);
  expect(again.nextNs()).toBe(150n * MS);
  again.passed([], [], [], 60n * MS);
  expect(again.nextNs()).toBeNull();
});

test('what somebody who holds the state lock kept undone is tried again, until it is done', () => {
  const again = new LookAgain();
  again.passed([], [], ['records of cards'], 0n);
  expect(again.nextNs()).toBe(50n * MS);
  again.passed([], [], ['records of cards'], 50n * MS);
  expect(again.nextNs()).toBe(150n * MS);
  again.passed([], [], [], 60n * MS);
  expect(again.nextNs()).toBeNull();
});

test('a link is looked at again while another filter of ours is at its hooks', () => {
  const again = new LookAgain();
  const link = seen('if-0-7', true, true, { found: {} });
  const inCompany = { ...link, observed: { ...link.observed, beside: { ours: ['vmn-a'] } } };
  again.passed([inCompany as unknown as AttachmentResult], [], [], 0n);
  expect(again.nextNs()).toBe(50n * MS);
  again.passed([link], [], [], MS);
  expect(again.nextNs()).toBeNull();
});

describe('taps that are claimed and held by nobody', () => {
  test('are looked at again, soon at first, then every five seconds', () => {
    const again = new LookAgain();
    let nowNs = 0n;
    const delays = Array.from({ length: 9 }, () => {
      again.passed([seen('tap', true, false)], [], [], nowNs);
      const dueNs = again.nextNs() ?? 0n;
      const delay = Number((dueNs - nowNs) / MS);
      nowNs = dueNs;
      return delay;
    });
    expect(delays).toEqual([50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  });

  test('passes that come meanwhile put off nothing', () => {
    const again = new LookAgain();
    for (const at of [0n, 20n, 49n]) again.passed([seen('tap', true, false)], [], [], at * MS);
    expect(again.nextNs()).toBe(50n * MS);
  });

  test('each has a time of its own, and the first counts', () => {
    const again = new LookAgain();
    again.passed([seen('a', true, false)], [], [], 0n);
    again.passed([seen('a', true, false), seen('b', true, false)], [], [], 20n * MS);
    expect(again.nextNs()).toBe(50n * MS);
    again.passed([seen('b', true, false)], [], [], 60n * MS);
    expect(again.nextNs()).toBe(70n * MS);
  });

  test.each([
    ['held', seen('tap', true, true)],
    ['not claimed', seen('tap', false, false)],
    ["somebody else's", seen('tap', true, false, { found: {} })],
    ['not seen', { ...seen('tap', true, false), observed: null }],
  ])('what is %s is not waited for', (_what, result) => {
    const again = new LookAgain();
    again.passed([seen('tap', true, false)], [], [], 0n);
    again.passed([result], [], [], MS);
    expect(again.nextNs()).toBeNull();
  });
});
