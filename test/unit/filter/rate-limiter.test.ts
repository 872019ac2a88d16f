import { describe, expect, test } from '@jest/globals';
import { chargeOf } from '../../../src/filter/charge.ts';
import { newFilterMemory } from '../../../src/filter/filter-memory.ts';
import { RateLimiter } from '../../../src/filter/rate-limiter.ts';
import { strategyFor } from '../../../src/filter/strategy.ts';
import { arpRequest, CAST, fromGuest, STRANGER, toGuest } from '../../support/frames/cast.ts';
import { pattern } from '../../support/frames/bytes.ts';
import { Mode, type PolicyFields } from '../../support/frames/policy-bytes.ts';
import { circumstancesWith, fromVm, policyWith } from '../../support/frames-generator/judged.ts';
import { NOW } from '../../support/frames-generator/policy.ts';

const SECOND = 1_000_000_000n;
const MS = 1_000_000n;

/** When the frames of one kind come, in nanoseconds from the start. */
type Arrivals = (index: number) => bigint;
const evenly =
  (perSecond: number): Arrivals =>
  (index) =>
    (BigInt(index) * SECOND) / BigInt(perSecond);
/** All frames of 40 ms at its beginning. */
const inBursts =
  (perSecond: number): Arrivals =>
  (index) =>
    (evenly(perSecond)(index) / (40n * MS)) * (40n * MS);

interface Offered {
  limits: { egressBitsPerSecond: number; packetsPerSecond: number };
  frame: Uint8Array;
  segmentBytes?: number;
  arrivals: Arrivals;
}

/** What goes through in 10 seconds. */
function through({ limits, frame, segmentBytes, arrivals }: Offered): { bits: number; packets: number } {
  const limiter = new RateLimiter();
  const charge = chargeOf(frame, segmentBytes === undefined ? null : { kind: 'udp', segmentBytes });
  const passed = { bits: 0, packets: 0 };
  for (let index = 0; arrivals(index) < 10n * SECOND; index += 1) {
    if (limiter.admit(limits, NOW + arrivals(index), charge) !== null) continue;
    passed.bits += charge.bits;
    passed.packets += charge.packets;
  }
  return passed;
}

const carrying = (bytes: number): Uint8Array => fromGuest(CAST, { udp: { payload: pattern(bytes) } });
const FULL = carrying(1472); // 1514 bytes
const KEEP_ALIVE = carrying(32); // 74 bytes
const SUPER = carrying(32 * 1472);

// What is offered is half as much again as what may go, and more. A frame is a small part of what may go in 10 s.
describe('limits within 5 % over 10 s of what is offered beyond them', () => {
  test.each([
    ['64 kbit/s of keep-alives', 64_000, { frame: KEEP_ALIVE, arrivals: evenly(300) }],
    ['1 Mbit/s of keep-alives', 1_000_000, { frame: KEEP_ALIVE, arrivals: evenly(3000) }],
    ['1 Mbit/s of full frames', 1_000_000, { frame: FULL, arrivals: evenly(150) }],
    ['1 Mbit/s of full frames in bursts', 1_000_000, { frame: FULL, arrivals: inBursts(1000) }],
    ['100 Mbit/s of full frames', 100_000_000, { frame: FULL, arrivals: evenly(12_500) }],
    ['100 Mbit/s in bursts', 100_000_000, { frame: FULL, arrivals: inBursts(15_000) }],
    ['20 Mbit/s of super-frames', 20_000_000, { frame: SUPER, segmentBytes: 1472, arrivals: evenly(100) }],
    ['1 Gbit/s of super-frames', 1_000_000_000, { frame: SUPER, segmentBytes: 1472, arrivals: evenly(4500) }],
    [
      '10 Gbit/s of super-frames in bursts',
      10_000_000_000,
      { frame: SUPER, segmentBytes: 1472, arrivals: inBursts(45_000) },
    ],
  ])('%s', (_, egressBitsPerSecond, offered) => {
    const { bits } = through({ limits: { egressBitsPerSecond, packetsPerSecond: 0 }, ...offered });
    expect(bits / (10 * egressBitsPerSecond)).toBeGreaterThan(0.95);
    expect(bits / (10 * egressBitsPerSecond)).toBeLessThan(1.05);
  });

  test.each([
    ['10 packets/s', 10, { frame: FULL, arrivals: evenly(1000) }],
    ['1000 packets/s of keep-alives', 1000, { frame: KEEP_ALIVE, arrivals: evenly(1500) }],
    ['1000 packets/s in bursts', 1000, { frame: FULL, arrivals: inBursts(5000) }],
    ['10,000 packets/s', 10_000, { frame: FULL, arrivals: evenly(17_000) }],
    [
      '10,000 packets/s in super-frames of 32',
      10_000,
      { frame: SUPER, segmentBytes: 1472, arrivals: evenly(1000) },
    ],
  ])('%s', (_, packetsPerSecond, offered) => {
    const { packets } = through({ limits: { egressBitsPerSecond: 0, packetsPerSecond }, ...offered });
    expect(packets / (10 * packetsPerSecond)).toBeGreaterThan(0.95);
    expect(packets / (10 * packetsPerSecond)).toBeLessThan(1.05);
  });

  test('less than the limit goes through whole', () => {
    const limits = { egressBitsPerSecond: 1_000_000, packetsPerSecond: 1000 };
    const { packets } = through({ limits, frame: FULL, arrivals: evenly(80) });
    expect(packets).toBe(800);
  });

  test('never more than the rate, a burst of 50 ms and one frame', () => {
    for (const [rate, frame] of [
      [1000, SUPER],
      [64_000, FULL],
      [1_000_000, SUPER],
    ] as const) {
      const limits = { egressBitsPerSecond: rate, packetsPerSecond: 0 };
      const { bits } = through({ limits, frame, arrivals: evenly(500) });
      expect(bits).toBeLessThanOrEqual(10.05 * rate + frame.length * 8);
    }
  });
});

describe('a limiter', () => {
  const limits = { egressBitsPerSecond: 1000, packetsPerSecond: 0 };
  const frame = { bits: 100, packets: 1 };

  test('begins full, whatever the clock says: 50 ms of the rate, and debt for the frame at its end', () => {
    for (const nowNs of [0n, 1n, NOW, 2n ** 64n - 1n]) {
      const limiter = new RateLimiter();
      expect(limiter.admit(limits, nowNs, { bits: 49, packets: 1 })).toBeNull();
      expect(limiter.admit(limits, nowNs, { bits: 1000, packets: 1 })).toBeNull(); // 1 bit was left
      expect(limiter.admit(limits, nowNs, frame)).toBe('BitRate');
    }
  });

  test('is exact to the nanosecond', () => {
    const limiter = new RateLimiter();
    limiter.admit(limits, NOW, { bits: 150, packets: 1 }); // 100 bits of debt: 100 ms
    expect(limiter.admit(limits, NOW + 100n * MS, frame)).toBe('BitRate');
    expect(limiter.admit(limits, NOW + 100n * MS + 1n, frame)).toBeNull();
  });

  test('a frame that is refused pays nothing, not even the other rate', () => {
    const both = { egressBitsPerSecond: 1000, packetsPerSecond: 100 };
    const limiter = new RateLimiter();
    for (let packet = 0; packet < 5; packet += 1)
      expect(limiter.admit(both, NOW, { bits: 1, packets: 1 })).toBeNull();
    for (let again = 0; again < 1000; again += 1)
      expect(limiter.admit(both, NOW, { bits: 1000, packets: 1 })).toBe('PacketRate');
    // Only 5 of the 50 bits were paid; with 10 ms more there is a packet, and bits for it.
    expect(limiter.admit(both, NOW + 10n * MS, { bits: 100, packets: 1 })).toBeNull();
    // Both are empty now, and bits are asked first.
    expect(limiter.admit(both, NOW + 10n * MS, { bits: 1, packets: 1 })).toBe('BitRate');
  });

  test('a clock that goes back adds nothing, and takes nothing away', () => {
    const limiter = new RateLimiter();
    limiter.admit(limits, NOW, { bits: 50, packets: 1 });
    expect(limiter.admit(limits, NOW - SECOND, frame)).toBe('BitRate');
    expect(limiter.admit(limits, NOW, frame)).toBe('BitRate');
    expect(limiter.admit(limits, NOW + 1n, frame)).toBeNull();
  });

  test('holds no more than 50 ms, however long nobody asks', () => {
    const limiter = new RateLimiter();
    limiter.admit(limits, NOW, frame);
    const later = NOW + 10n ** 18n;
    expect(limiter.admit(limits, later, { bits: 50, packets: 1 })).toBeNull();
    expect(limiter.admit(limits, later, frame)).toBe('BitRate');
  });

  test('a rate beyond what there is means the most that there is', () => {
    for (const [most, beyond] of [
      [
        { egressBitsPerSecond: 100_000_000_000, packetsPerSecond: 0 },
        { egressBitsPerSecond: 2 ** 63, packetsPerSecond: 0 },
      ],
      [
        { egressBitsPerSecond: 0, packetsPerSecond: 1_000_000_000 },
        { egressBitsPerSecond: 0, packetsPerSecond: 2 ** 63 },
      ],
    ] as const) {
      const [one, other] = [new RateLimiter(), new RateLimiter()];
      const huge = { bits: 6e9, packets: 6e7 }; // 60 ms of the most
      expect([one.admit(most, NOW, huge), other.admit(beyond, NOW, huge)]).toEqual([null, null]);
      const refused = most.packetsPerSecond === 0 ? 'BitRate' : 'PacketRate';
      const at = NOW + 10n * MS;
      expect([one.admit(most, at, frame), other.admit(beyond, at, frame)]).toEqual([refused, refused]);
      expect([one.admit(most, at + 1n, frame), other.admit(beyond, at + 1n, frame)]).toEqual([null, null]);
    }
  });

  test('no limit is no limit, and a lower one holds at once', () => {
    const limiter = new RateLimiter();
    const none = { egressBitsPerSecond: 0, packetsPerSecond: 0 };
    for (let index = 0; index < 1000; index += 1)
      expect(limiter.admit(none, NOW, { bits: 1e9, packets: 1 })).toBeNull();
    const high = { egressBitsPerSecond: 100_000_000_000, packetsPerSecond: 0 };
    const fresh = new RateLimiter();
    fresh.admit(high, NOW, frame);
    expect(fresh.admit(limits, NOW, { bits: 50, packets: 1 })).toBeNull();
    expect(fresh.admit(limits, NOW, frame)).toBe('BitRate');
  });
});

describe('a frame is charged as it leaves', () => {
  test.each([
    [FULL, null, 1514 * 8, 1],
    [KEEP_ALIVE, null, 74 * 8, 1],
    [SUPER, 1472, 32 * 1514 * 8, 32],
    [carrying(1000), 300, (1000 + 4 * 42) * 8, 4],
    [carrying(1000), 65_535, 1042 * 8, 1],
    [carrying(1000), 1000, 1042 * 8, 1],
    [carrying(1000), 999, (1000 + 2 * 42) * 8, 2],
  ])('%#', (frame, segmentBytes, bits, packets) => {
    const superFrame = segmentBytes === null ? null : ({ kind: 'udp', segmentBytes } as const);
    expect(chargeOf(frame, superFrame)).toEqual({ bits, packets });
  });

  test('what cannot be cut is charged as one', () => {
    const one = { bits: FULL.length * 8, packets: 1 };
    expect(chargeOf(FULL, { kind: 'other' })).toEqual(one);
    expect(chargeOf(FULL, { kind: 'udp', segmentBytes: 0 })).toEqual(one);
  });
});

describe('limits hold for what the VM sends and would otherwise go out', () => {
  const limited = (fields: Partial<PolicyFields> = {}) => {
    const policy = policyWith({ packetsPerSecond: 20, ...fields });
    const strategy = strategyFor(policy, newFilterMemory());
    return { policy, strategy, from: fromVm(strategy, policy) };
  };
  const elsewhere = fromGuest(CAST, { ip: { destination: STRANGER.address } });

  test('one packet of 20 a second, then none, in every mode', () => {
    for (const mode of [Mode.filtered, Mode.conntrack, Mode.sampled]) {
      const { from } = limited({ mode });
      expect(from(fromGuest(CAST)).action).toBe('allow');
      expect(from(fromGuest(CAST))).toMatchObject({ action: 'drop', reason: 'PacketRate', audited: false });
      expect(from(fromGuest(CAST), { nowNs: NOW + 50n * MS }).action).toBe('allow');
    }
  });

  test('bits too, and frames that are not drawn as well', () => {
    const { from } = limited({ mode: Mode.sampled, packetsPerSecond: 0, egressBitsPerSecond: 1000 });
    expect(from(elsewhere).reason).toBe('AllowedUnsampled');
    expect(from(elsewhere).reason).toBe('BitRate');
  });

  test('a frame that is dropped for another reason pays nothing, nor does ARP, nor what the VM hears', () => {
    const { from, strategy, policy } = limited();
    for (let index = 0; index < 100; index += 1) {
      expect(from(elsewhere).reason).toBe('DestinationAddress');
      expect(from(arpRequest(CAST)).action).toBe('reply');
      const heard = strategy.judge('to-vm', policy, toGuest(CAST), circumstancesWith());
      expect(heard.reason).toBe('Allowed');
    }
    expect(from(fromGuest(CAST)).reason).toBe('Allowed');
    expect(from(fromGuest(CAST)).reason).toBe('PacketRate');
    expect(from(arpRequest(CAST)).action).toBe('reply');
  });

  test('they are remembered over a change of policy', () => {
    const memory = newFilterMemory();
    for (const generation of [1n, 2n]) {
      const policy = policyWith({ packetsPerSecond: 20, generation });
      const { reason } = fromVm(strategyFor(policy, memory), policy)(fromGuest(CAST));
      expect(reason).toBe(generation === 1n ? 'Allowed' : 'PacketRate');
    }
  });
});
