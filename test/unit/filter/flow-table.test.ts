import { describe, expect, test } from '@jest/globals';
import { udpEndpoint } from '../../../src/filter/endpoint.ts';
import { fingerprintOf, FLOW_SETS, FLOW_WAYS, FlowTable } from '../../../src/filter/flow-table.ts';
import { siphash } from '../../../src/filter/siphash.ts';
import { Dice } from '../../support/frames-generator/dice.ts';
import { policyWith } from '../../support/frames-generator/judged.ts';
import { address } from '../../support/frames-generator/policy.ts';

/** Fingerprints of one set. */
const inSet = (set: number, index: number): bigint => BigInt(set) + BigInt(index + 1) * BigInt(FLOW_SETS);

describe('[FS-2] the flow table', () => {
  test('is bounded: of 10,000 flows it knows 512, eight of each set', () => {
    const flows = new FlowTable();
    const dice = new Dice(1);
    const all = Array.from({ length: 10_000 }, () => dice.word64() || 1n);
    for (const flow of all) flows.remember(flow);
    expect(flows.size).toBe(512);
    expect(FLOW_SETS * FLOW_WAYS).toBe(512);
    for (let set = 0n; set < 64n; set += 1n) {
      const ofSet = all.filter((flow) => (flow & 63n) === set);
      const known = ofSet.filter((flow) => flows.knows(flow));
      expect(known).toEqual(ofSet.slice(-FLOW_WAYS));
    }
  });

  test('forgets the least recently used of a set, and only for another of that set', () => {
    const flows = new FlowTable();
    const of = (index: number): bigint => inSet(5, index);
    for (let index = 0; index < FLOW_WAYS; index += 1) flows.remember(of(index));
    expect(flows.knows(of(0))).toBe(true); // so 1 is the oldest now
    flows.remember(inSet(6, 0));
    flows.remember(of(FLOW_WAYS));
    expect(flows.knows(of(1))).toBe(false);
    for (const index of [0, 2, 3, 4, 5, 6, 7, 8]) expect(flows.knows(of(index))).toBe(true);
    expect(flows.knows(inSet(6, 0))).toBe(true);
    flows.remember(of(9));
    expect(flows.knows(of(0))).toBe(false); // asked for first in the round before
    expect(flows.size).toBe(FLOW_WAYS + 1);
  });

  test('asking for what is not there changes nothing', () => {
    const flows = new FlowTable();
    flows.remember(inSet(0, 0));
    for (let index = 1; index < 100; index += 1) expect(flows.knows(inSet(0, index))).toBe(false);
    expect(flows.knows(inSet(0, 0))).toBe(true);
    expect(flows.size).toBe(1);
  });
});

describe('[FS-2] a fingerprint', () => {
  const policy = policyWith({ generation: 7n, secret: Uint8Array.from({ length: 16 }, (_, index) => index) });
  const remote = udpEndpoint(address('1.2.3.4'), 0x1122);

  test('is SipHash-1-3 of (address as in the frame, remote port, guest port) and generation', () => {
    expect(fingerprintOf(policy, remote, 0x3344)).toBe(siphash(policy.secret, [0x3344_1122_0403_0201n, 7n]));
  });

  test('is another for each of remote address and port, guest port, generation and secret', () => {
    const others = [
      fingerprintOf(policy, remote, 0x3344),
      fingerprintOf(policy, remote, 0x3345),
      fingerprintOf(policy, udpEndpoint(address('1.2.3.5'), 0x1122), 0x3344),
      fingerprintOf(policy, udpEndpoint(address('1.2.3.4'), 0x1123), 0x3344),
      fingerprintOf({ ...policy, generation: 8n }, remote, 0x3344),
      fingerprintOf({ ...policy, secret: new Uint8Array(16) }, remote, 0x3344),
    ];
    expect(new Set(others).size).toBe(others.length);
  });
});
