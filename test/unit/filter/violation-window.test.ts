import { describe, expect, test } from '@jest/globals';
import { newFilterMemory } from '../../../src/filter/filter-memory.ts';
import { strategyFor } from '../../../src/filter/strategy.ts';
import { ViolationWindow } from '../../../src/filter/violation-window.ts';
import { arpRequest, CAST, fromGuest, STRANGER, toGuest } from '../../support/frames/cast.ts';
import { EtherType } from '../../support/frames/ethernet.ts';
import { Mode } from '../../support/frames/policy-bytes.ts';
import { circumstancesWith, fromVm, policyWith } from '../../support/frames-generator/judged.ts';
import { NOW } from '../../support/frames-generator/policy.ts';

const MS = 1_000_000n;
const at = (ms: number): bigint => NOW + BigInt(ms) * MS;

/** The moments, of those given, at which the threshold is reached. */
function told(threshold: number, windowMs: number, moments: readonly number[]): number[] {
  const window = new ViolationWindow();
  const crossings = moments.filter((ms) =>
    window.note({ violation: { threshold, windowMs }, generation: 1n }, at(ms)),
  );
  expect(window.crossings).toBe(crossings.length);
  return crossings;
}

const every = (stepMs: number, fromMs: number, toMs: number): number[] =>
  Array.from({ length: Math.ceil((toMs - fromMs) / stepMs) }, (_, index) => fromMs + index * stepMs);

describe('[FS-4] the violation threshold', () => {
  test('is reached by so many within the window, and told once', () => {
    expect(told(1, 1000, [0, 1, 2, 999])).toEqual([0]);
    expect(told(3, 1000, [0, 10, 20, 30, 40])).toEqual([20]);
    expect(told(5, 1000, [0, 10, 20, 30])).toEqual([]);
  });

  test('is not reached by as many over a longer time', () => {
    expect(told(100, 10_000, every(105, 0, 60_000))).toEqual([]);
    expect(told(10, 1000, every(120, 0, 60_000))).toEqual([]);
  });

  test('is reached across the edge of two windows', () => {
    // Half of the first window's ten still count in the middle of the second.
    const moments = [...every(1, 0, 10), ...every(1, 1500, 1520)];
    expect(told(12, 1000, moments)).toEqual([1506]);
  });

  test('a rate at its edge tells once, not again and again', () => {
    const around = every(100, 0, 60_000).map((ms, index) => ms + (index % 3) * 20);
    expect(told(10, 1000, around)).toHaveLength(1);
    expect(told(10, 1000, every(10, 0, 60_000))).toEqual([90]);
  });

  test('tells again when violations came down to half of it before', () => {
    const quietly = every(300, 1000, 10_000);
    const moments = [...every(10, 0, 200), ...quietly, ...every(10, 10_000, 10_200)];
    const crossings = told(10, 1000, moments);
    expect(crossings).toHaveLength(2);
    expect(crossings[0]).toBe(90);
    expect(crossings[1]).toBeGreaterThan(10_000);
    // More than half of it in between: it keeps still.
    const stillMany = [...every(10, 0, 200), ...every(150, 1000, 10_000), ...every(10, 10_000, 10_200)];
    expect(told(10, 1000, stillMany)).toEqual([90]);
  });

  test('of the window before, the share that still counts is rounded to the nearest', () => {
    expect(told(1, 1000, [0, 1500])).toEqual([0]);
    expect(told(1, 1000, [0, 1501])).toEqual([0, 1501]);
    expect(told(3, 1000, [0, 1, 1250])).toEqual([1250]); // 1.5 of two
    expect(told(3, 1000, [0, 1, 1251])).toEqual([]);
    expect(told(1, 1, [0, 1])).toEqual([0]);
    expect(told(1, 1, [0, 2])).toEqual([0, 2]);
    expect(told(1, 0, [0, 1, 3])).toEqual(told(1, 1, [0, 1, 3])); // there is no window of 0
  });

  test('after two windows of silence everything is forgotten', () => {
    expect(told(2, 1000, [0, 1, 2001, 2002])).toEqual([1, 2002]);
  });

  test('a clock that goes back stands still', () => {
    expect(told(3, 1000, [500, 0, 100])).toEqual([100]);
    expect(told(3, 1000, [500, 0, 3000, 3001, 3002])).toEqual([3002]);
  });

  test('windows of a day and thresholds of a million are counted exactly', () => {
    const window = new ViolationWindow();
    const violation = { threshold: 1_000_000, windowMs: 86_400_000 };
    for (let index = 1; index < 1_000_000; index += 1)
      if (window.note({ violation, generation: 1n }, NOW + BigInt(index)))
        throw new Error(`told at ${String(index)}`);
    expect(window.note({ violation, generation: 1n }, NOW + 2_000_000n)).toBe(true);
  });
});

describe('[FS-4] what counts', () => {
  const violating = fromGuest(CAST, { ip: { destination: STRANGER.address } });
  const crossingsOf = (frames: readonly Uint8Array[], fields = {}): number => {
    const memory = newFilterMemory();
    const policy = policyWith({ violation: { threshold: 1, windowMs: 10_000 }, ...fields });
    for (const frame of frames) fromVm(strategyFor(policy, memory), policy)(frame);
    return memory.violations.crossings;
  };

  test('one stray multicast reaches no threshold, nor do a thousand', () => {
    const stray = fromGuest(CAST, { ethernet: { destination: '01:00:5e:00:00:fb' } });
    const solicitation = fromGuest(CAST, {
      ethernet: { destination: '33:33:ff:00:00:01', etherType: EtherType.ipv6 },
    });
    for (const mode of [Mode.filtered, Mode.conntrack, Mode.sampled]) {
      expect(crossingsOf([stray], { mode })).toBe(0);
      expect(crossingsOf(Array.from({ length: 1000 }, () => [stray, solicitation]).flat(), { mode })).toBe(0);
    }
  });

  test('neither does what other decent guests do, or what somebody else did', () => {
    const announcement = arpRequest(CAST, { targetAddress: CAST.guestAddress });
    const lldp = fromGuest(CAST, { ethernet: { etherType: EtherType.lldp } });
    const big = fromGuest(CAST, { udp: { payload: new Uint8Array(1473) } });
    const harmless = [announcement, lldp, big, fromGuest(CAST), fromGuest(CAST, { ip: { ttl: 0 } })];
    expect(crossingsOf(harmless, { maxPacketBytes: 1500, packetsPerSecond: 1 })).toBe(0);
    expect(crossingsOf([violating], { quarantined: true })).toBe(0);
  });

  test('a frame that tries what it may not does, audited too; a threshold of 0 never is reached', () => {
    expect(crossingsOf([violating])).toBe(1);
    expect(crossingsOf([violating], { audit: true })).toBe(1);
    expect(crossingsOf([violating], { violation: { threshold: 0, windowMs: 0 } })).toBe(0);
    expect(crossingsOf([fromGuest(CAST, { ip: { source: STRANGER.address } })])).toBe(1);
  });

  test('what comes to the VM is nobody in it', () => {
    const memory = newFilterMemory();
    const policy = policyWith({ violation: { threshold: 1, windowMs: 10_000 } });
    const attack = toGuest(CAST, { ip: { source: STRANGER.address } });
    const { reason } = strategyFor(policy, memory).judge('to-vm', policy, attack, circumstancesWith());
    expect([reason, memory.violations.crossings]).toEqual(['SourceAddress', 0]);
  });

  test('[FS-4] under another policy it is told anew, for what is done about it may be another thing', () => {
    const window = new ViolationWindow();
    const violation = { threshold: 3, windowMs: 10_000 };
    const told = [1n, 1n, 1n, 1n, 2n, 2n].map((generation, index) =>
      window.note({ violation, generation }, NOW + BigInt(index)),
    );
    expect(told).toEqual([false, false, true, false, true, false]);
    expect(window.crossings).toBe(2);
  });
});
