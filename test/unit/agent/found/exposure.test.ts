import { describe, expect, test } from '@jest/globals';
import type { HostVm } from '../../../../src/agent/discovery/directory.ts';
import { Exposure, heldSinceNs } from '../../../../src/agent/found/exposure.ts';

const MS = 1_000_000n;

describe('how long a found link was open', () => {
  test('from when the kernel told, not from when the pass came to it', () => {
    const exposure = new Exposure();
    exposure.noticed(10n * MS);
    exposure.noticed(20n * MS);
    const since = exposure.begin(40n * MS);
    exposure.looked('if-0-7', true, since, 41n * MS);
    expect(exposure.ofLink('if-0-7', 44n * MS)).toBe(34);
    exposure.looked('if-0-7', false, since, 50n * MS);
    expect(exposure.ofLink('if-0-7', 90n * MS)).toBe(40);
  });

  test('what nobody told of counts from the pass that saw it', () => {
    const exposure = new Exposure();
    exposure.looked('if-0-7', true, exposure.begin(40n * MS), 41n * MS);
    exposure.looked('if-0-7', false, 0n, 42n * MS + 1n);
    expect(exposure.ofLink('if-0-7', 99n * MS)).toBe(3);
  });

  test('closed while it was down: none at all', () => {
    const exposure = new Exposure();
    exposure.born('if-0-7');
    exposure.looked('if-0-7', false, 0n, 50n * MS);
    expect(exposure.ofLink('if-0-7', 90n * MS)).toBe(0);
  });

  test('found closed by a new agent: not known to it', () => {
    const exposure = new Exposure();
    exposure.looked('if-0-7', false, 0n, 50n * MS);
    expect(exposure.ofLink('if-0-7', 90n * MS)).toBeNull();
  });

  test('opened again it adds up, and another link of the number begins anew', () => {
    const exposure = new Exposure();
    for (const at of [10n, 100n]) {
      exposure.looked('if-0-7', true, at * MS, at * MS);
      exposure.looked('if-0-7', false, at * MS, (at + 5n) * MS);
    }
    expect(exposure.ofLink('if-0-7', 200n * MS)).toBe(10);
    exposure.keepOnly(new Set());
    expect(exposure.ofLink('if-0-7', 200n * MS)).toBeNull();
  });
});

describe('what is found in a namespace that was just entered', () => {
  const vms = [
    { cards: [{ link: { netns: 'net:[1]' }, startTicks: '300' }] },
    { cards: [{ link: { netns: 'net:[1]' }, startTicks: '200' }] },
    { cards: [{ link: { netns: 'net:[2]' }, startTicks: '100' }] },
    { cards: [{ link: null, startTicks: '1' }] },
  ] as unknown as readonly HostVm[];
  const machine = {
    clock: { monotonicNs: () => 5000n * MS },
    kernel: { processAgeMs: (ticks: string) => 4000 - 10 * Number(ticks) },
  };
  const since = (beganMs: bigint, seenMs: bigint): bigint =>
    heldSinceNs('net:[1]', vms, new Exposure(beganMs * MS), seenMs * MS, machine) / MS;

  test('was open since the first process started that holds a tap there', () => {
    expect(since(0n, 4990n)).toBe(3000n);
  });

  test('but not since before the agent began, which it does not know of', () => {
    expect(since(3500n, 4990n)).toBe(3500n);
  });

  test('or since the kernel told, if that was before', () => {
    expect(since(0n, 2000n)).toBe(2000n);
  });
});

test('of what was told later but happened before, the first counts', () => {
  const exposure = new Exposure();
  exposure.noticed(20n * MS);
  exposure.noticed(10n * MS);
  expect(exposure.begin(40n * MS)).toBe(10n * MS);
});
