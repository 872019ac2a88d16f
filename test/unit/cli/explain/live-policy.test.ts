import { describe, expect, test } from '@jest/globals';
import { livePolicy } from '../../../../src/cli/explain/policy/live-policy.ts';
import type { HostFilter } from '../../../../src/cli/filters/host-filters.ts';
import { encodePolicy, type Policy } from '../../../../src/native/policy-abi.ts';
import type { Hook, ReadBack } from '../../../../src/native/filter-engine.ts';
import { policy } from './policy.ts';

const SECOND = 1_000_000_000n;
const NOW_NS = 500n * SECOND;
const NOW_MS = 1_767_225_600_000;
const clock = { nowMs: () => NOW_MS, monotonicNs: () => NOW_NS };
const filter: HostFilter = {
  vm: 'rental',
  tap: 'vmn-0123456789',
  pinDir: '/pins/vmn-0123456789',
  ifindex: 7,
  elsewhere: false,
};
const hook = (side: 'ingress' | 'egress'): Hook => ({
  linkId: 1,
  programId: 1,
  programTag: 'ab',
  ifindex: 7,
  attachPoint: `tcx/${side}`,
  first: true,
  others: [],
});
const holding = (its: Policy | Uint8Array | null): ReadBack => ({
  fromVm: hook('ingress'),
  toVm: hook('egress'),
  policy: its === null || its instanceof Uint8Array ? its : encodePolicy(its),
  policyState: its === null ? 'empty' : 'set',
  policyHash: null,
});
const live = (found: ReadBack, { timed = true, filters = [filter] } = {}) =>
  livePolicy('rental', timed, {
    filters: { named: () => filters },
    kernel: { readBack: () => found },
    clock,
  });
const terms = { secret: new Uint8Array(16), startNs: 0n, limits: true };

describe('the policy in the kernel', () => {
  test('is judged by as it is, but for its secret and what only an agent answers', () => {
    const its = policy({
      generation: 9n,
      limits: { egressBitsPerSecond: 5, packetsPerSecond: 6 },
      violation: { threshold: 3, windowMs: 4 },
    });
    const by = live(holding(its));
    expect(by.policyFor(terms)).toEqual({
      ...its,
      secret: terms.secret,
      violation: { threshold: 0, windowMs: 0 },
    });
    expect(by.policyFor({ ...terms, limits: false })?.limits).toEqual({
      egressBitsPerSecond: 0,
      packetsPerSecond: 0,
    });
    expect([by.guestMac, by.mode, by.hasLimits, by.caveats]).toEqual([its.guestMac, 'Filtered', true, []]);
    expect(by.description).toBe(
      'rental on vmn-0123456789, as the kernel has it: 02:76:aa:bb:cc:dd 100.64.0.5 → 203.0.113.10:51900 (Filtered, strict, generation 9)'.replace(
        '02:76:aa:bb:cc:dd',
        its.guestMac,
      ),
    );
  });

  test('that is not there lets nothing pass, and that is said', () => {
    const by = live(holding(null));
    expect([by.policyFor(terms), by.guestMac, by.mode]).toEqual([null, '', null]);
    expect(by.caveats).toEqual(['the VM is denied: there is no policy in the kernel']);
  });

  test('that cannot be read, or is of another version, is not guessed at', () => {
    expect(() => live({ ...holding(null), policyState: 'unknown' })).toThrow(/policy in force/);
    expect(() => live(holding(new Uint8Array(128)))).toThrow(/policy in force/);
  });
});

describe('the end of grace', () => {
  const previous = (untilNs: bigint) =>
    holding(policy({ previous: { address: '198.51.100.7', port: 51820, untilNs } }));
  const until = (untilNs: bigint, timed: boolean) =>
    live(previous(untilNs), { timed }).policyFor(terms)?.previous?.untilNs;

  test('is told by the clock of captures', () => {
    expect(until(NOW_NS + 3n * SECOND, true)).toBe(BigInt(NOW_MS + 3000) * 1_000_000n);
    expect(until(NOW_NS - 3n * SECOND, true)).toBe(BigInt(NOW_MS - 3000) * 1_000_000n);
  });

  test('for frames without a time, that are of now, it is over or it is not', () => {
    expect(until(NOW_NS + 1n, false)).toBeGreaterThan(0n);
    expect(until(NOW_NS, false)).toBe(0n);
  });
});

describe('a filter that does not do what it should', () => {
  test.each<[string, Partial<ReadBack>, Partial<HostFilter>, string]>([
    ['detached', { toVm: null }, {}, 'the to-VM program is not attached'],
    ['overtaken', { fromVm: { ...hook('ingress'), first: false } }, {}, 'another program runs before'],
    ['without an interface', {}, { ifindex: null }, 'there is no interface vmn-0123456789'],
    ['detached elsewhere', { fromVm: null }, { elsewhere: true, ifindex: null }, 'a program is not attached'],
  ])('%s', (_, found, change, fault) => {
    const by = live({ ...holding(policy()), ...found }, { filters: [{ ...filter, ...change }] });
    expect(by.caveats).toEqual([expect.stringContaining(fault)]);
  });

  test('in another network namespace nobody sees from here what runs first', () => {
    const found = { ...holding(policy()), fromVm: { ...hook('ingress'), first: false } };
    expect(live(found, { filters: [{ ...filter, elsewhere: true, ifindex: null }] }).caveats).toEqual([]);
  });
});

test('of a VM with several cards one has to be named', () => {
  expect(() => live(holding(policy()), { filters: [filter, { ...filter, tap: 'vnet3' }] })).toThrow(
    expect.objectContaining({ code: 'VMN_USAGE', remedy: expect.stringContaining('vmn-0123456789, vnet3') }),
  );
});
