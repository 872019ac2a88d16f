import { describe, expect, test } from '@jest/globals';
import { intendedPolicy } from '../../../src/agent/attachment/intended-policy.ts';
import { identityOf } from '../../../src/agent/wiring/identity.ts';
import type { AttachmentRecord } from '../../../src/agent/wiring/record.ts';
import { consumerEndpointSchema } from '../../../src/api/v1alpha1/index.ts';
import type { PolicyIntent } from '../../../src/controller/vmnetwork/plan.ts';
import { decodePolicy, encodePolicy } from '../../../src/native/policy-abi.ts';
import type { Policy } from '../../../src/native/policy-abi.ts';

const SECOND = 1_000_000_000n;
const { tap, guestMac } = identityOf('vm-a');
const record: AttachmentRecord = {
  version: 1,
  vm: 'vm-a',
  tap,
  guestMac,
  guestAddress: '100.64.0.5',
  network: 't/one',
  claim: null,
  createdAt: '2026-01-31T12:00:00.000Z',
};

const endpoint = (port: number) => consumerEndpointSchema.parse({ address: '203.0.113.10', port });

function intent(port: number, over: Partial<PolicyIntent> = {}): PolicyIntent {
  return {
    network: 't/one',
    endpoint: endpoint(port),
    graceSeconds: 0,
    quarantined: false,
    strictWireGuard: true,
    mode: 'Filtered',
    samplePerMillion: 0,
    audit: false,
    limits: { egressBitsPerSecond: 0, packetsPerSecond: 0 },
    violation: { action: 'Drop', threshold: 1, windowSeconds: 10 },
    ...over,
  };
}

let secrets = 0;
const newSecret = (): Uint8Array => new Uint8Array(16).fill((secrets += 1));
const at = (seconds: bigint, lastGeneration = 0n) => ({
  nowNs: seconds * SECOND,
  lastGeneration,
  newSecret,
  pool: '100.64.0.0/16',
});
const first = (over: Partial<PolicyIntent> = {}): Policy =>
  intendedPolicy(intent(1, over), record, null, at(100n));

describe('the intended policy', () => {
  test('holds everything that the filter judges by', () => {
    expect(decodePolicy(encodePolicy(first()))).toEqual({
      flags: { quarantined: false, strictWireGuard: true, audit: false },
      generation: 1n,
      guestMac,
      gatewayMac: '02:76:6d:6e:00:01',
      guestAddress: '100.64.0.5',
      gatewayAddress: '169.254.1.1',
      mode: 'Filtered',
      endpoint: { address: '203.0.113.10', port: 1 },
      previous: null,
      secret: expect.any(Uint8Array),
      limits: { egressBitsPerSecond: 0, packetsPerSecond: 0 },
      samplePerMillion: 0,
      // What the tap's MTU lets through: a larger packet could only come by an offload that was never offered.
      maxPacketBytes: 1500,
      violation: { threshold: 1, windowMs: 10_000 },
    });
  });

  test('every commit has a secret of its own', () => {
    const one = first();
    const two = intendedPolicy(intent(2), record, one, at(101n));
    expect(two.secret).not.toEqual(one.secret);
  });

  test('is the very one in force when that says the same, so that nothing is written', () => {
    const inForce = first();
    expect(intendedPolicy(intent(1), record, inForce, at(200n))).toBe(inForce);
    expect(intendedPolicy(intent(1, { graceSeconds: 60 }), record, inForce, at(200n))).toBe(inForce);
    // What is done about violations is not the filter's.
    const violation = { action: 'Quarantine', threshold: 1, windowSeconds: 10 } as const;
    expect(intendedPolicy(intent(1, { violation }), record, inForce, at(200n))).toBe(inForce);
  });

  test('is committed anew when that is asked for', () => {
    const inForce = first();
    const renewed = intendedPolicy(intent(1), record, inForce, { ...at(200n), renew: true });
    expect(renewed).toEqual({ ...inForce, generation: 2n, secret: expect.any(Uint8Array) });
    expect(renewed.secret).not.toEqual(inForce.secret);
  });

  test.each<[string, Policy, AttachmentRecord]>([
    ['endpoint', intendedPolicy(intent(2), record, null, at(1n)), record],
    ['guest address', first(), { ...record, guestAddress: '100.64.0.6' }],
    ['guest MAC', first(), { ...record, guestMac: '02:76:00:00:00:09' }],
    ['kill switch', first({ quarantined: true }), record],
    ['strictness', first({ strictWireGuard: false }), record],
    ['mode', first({ mode: 'Conntrack' }), record],
    ['sampling rate', first({ mode: 'Sampled', samplePerMillion: 10_000 }), record],
    ['audit', first({ audit: true }), record],
    ['bit rate', first({ limits: { egressBitsPerSecond: 1, packetsPerSecond: 0 } }), record],
    ['packet rate', first({ limits: { egressBitsPerSecond: 0, packetsPerSecond: 1 } }), record],
    ['threshold', first({ violation: { action: 'Drop', threshold: 2, windowSeconds: 10 } }), record],
    ['window', first({ violation: { action: 'Drop', threshold: 1, windowSeconds: 11 } }), record],
    ['MTU', { ...first(), maxPacketBytes: 9000 }, record],
  ])('another %s is another policy, with the next generation', (_what, inForce, own) => {
    const policy = intendedPolicy(intent(1), own, { ...inForce, generation: 7n }, at(100n));
    expect(policy).toMatchObject({ generation: 8n, endpoint: { port: 1 }, guestAddress: own.guestAddress });
    expect(policy).toMatchObject({ mode: 'Filtered', maxPacketBytes: 1500, violation: { windowMs: 10_000 } });
    expect(policy.flags).toEqual({ quarantined: false, strictWireGuard: true, audit: false });
  });

  test('generations never go back, not even over a time without a policy', () => {
    expect(intendedPolicy(intent(1), record, null, at(1n, 9n)).generation).toBe(10n);
    expect(intendedPolicy(intent(2), record, { ...first(), generation: 3n }, at(1n, 9n)).generation).toBe(
      10n,
    );
  });

  describe('grace', () => {
    const moved = (grace: number, from: Policy = first(), own = record): Policy =>
      intendedPolicy(intent(2, { graceSeconds: grace }), own, from, at(100n));

    test('0: the old endpoint is refused at once', () => {
      expect(moved(0).previous).toBeNull();
    });

    test('the old endpoint is allowed until the grace is over, and is not written again', () => {
      const policy = moved(30);
      expect(policy.previous).toEqual({ address: '203.0.113.10', port: 1, untilNs: 130n * SECOND });
      for (const second of [101n, 129n, 130n, 500n]) {
        expect(intendedPolicy(intent(2, { graceSeconds: 30 }), record, policy, at(second))).toBe(policy);
      }
    });

    test('shortened or taken away while it runs, it ends sooner', () => {
      const policy = moved(30);
      const shorter = intendedPolicy(intent(2, { graceSeconds: 5 }), record, policy, at(110n));
      expect(shorter.previous?.untilNs).toBe(115n * SECOND);
      expect(intendedPolicy(intent(2, { graceSeconds: 5 }), record, shorter, at(112n))).toBe(shorter);
      expect(intendedPolicy(intent(2), record, policy, at(110n)).previous).toBeNull();
    });

    test('lengthened, it is not prolonged', () => {
      const policy = moved(30);
      expect(intendedPolicy(intent(2, { graceSeconds: 300 }), record, policy, at(110n))).toBe(policy);
    });

    test('only the last endpoint has it', () => {
      const third = intendedPolicy(intent(3, { graceSeconds: 30 }), record, moved(30), at(105n));
      expect(third.previous).toMatchObject({ port: 2, untilNs: 135n * SECOND });
    });

    test("another network's endpoint has none", () => {
      expect(moved(30, first(), { ...record, network: 't/other' }).previous).toBeNull();
      expect(moved(30, first(), { ...record, network: null }).previous).toBeNull();
      const sameEndpoint = { ...moved(30), endpoint: { address: '203.0.113.10', port: 2 } };
      const handedOver = { ...record, network: 't/other' };
      expect(
        intendedPolicy(intent(2, { graceSeconds: 30 }), handedOver, sameEndpoint, at(101n)).previous,
      ).toBeNull();
    });

    test('there is none out of a quarantine', () => {
      expect(moved(30, first({ quarantined: true })).previous).toBeNull();
    });
  });
});

describe('a previous endpoint that is stated', () => {
  const [one, two] = [endpoint(1), endpoint(2)];
  const stated = (until: bigint, over: Partial<PolicyIntent> = {}): PolicyIntent =>
    intent(2, { previous: { endpoint: one, untilNs: until * SECOND }, ...over });
  const moved = (from: Policy | null, until = 130n, now = 100n): Policy =>
    intendedPolicy(stated(until), record, from, at(now));
  const untilOf = (policy: Policy): bigint | null => policy.previous && policy.previous.untilNs / SECOND;

  test('is the previous one, whatever was in force', () => {
    for (const inForce of [null, first(), intendedPolicy(intent(3), record, null, at(1n))])
      expect(moved(inForce)).toMatchObject({ endpoint: two, previous: { ...one, untilNs: 130n * SECOND } });
  });

  test('or there is none, though one was in force', () => {
    const policy = intendedPolicy(intent(2, { previous: null, graceSeconds: 60 }), record, first(), at(100n));
    expect(policy.previous).toBeNull();
    expect(
      intendedPolicy(intent(2, { previous: null }), record, moved(first()), at(101n)).previous,
    ).toBeNull();
  });

  test("of another network's policy in force nothing is left", () => {
    const other = { ...record, network: 't/other' };
    const policy = intendedPolicy(intent(2, { previous: null }), other, first(), at(100n));
    expect(policy).toMatchObject({ endpoint: two, previous: null });
  });

  test('is not written again while it runs, nor once it is over', () => {
    const policy = moved(first());
    for (const second of [101n, 129n, 130n, 500n])
      expect(intendedPolicy(stated(130n), record, policy, at(second))).toBe(policy);
  });

  test('a deadline that was computed anew, within a second of the one in force, is the same', () => {
    const policy = moved(first());
    const late = intent(2, { previous: { endpoint: one, untilNs: 130n * SECOND - 900_000_000n } });
    expect(intendedPolicy(late, record, policy, at(110n))).toBe(policy);
  });

  test('ends sooner when that is stated, and never later than what is in force', () => {
    const policy = moved(first());
    expect(untilOf(intendedPolicy(stated(115n), record, policy, at(110n)))).toBe(115n);
    // A wall clock was set back while no agent ran.
    expect(intendedPolicy(stated(3000n), record, policy, at(110n))).toBe(policy);
    expect(intendedPolicy(stated(3000n), record, policy, at(131n))).toBe(policy);
  });

  test('that is over already is none', () => {
    expect(moved(first(), 100n).previous).toBeNull();
  });

  test('what is left of an earlier change bounds nothing: back and forth, each time with its own grace', () => {
    const away = moved(first());
    // The grace is over, and back again without one.
    const back = intendedPolicy(intent(1, { previous: null }), record, away, at(200n));
    expect(back.previous).toBeNull();
    expect(untilOf(intendedPolicy(stated(330n), record, back, at(300n)))).toBe(330n);
  });
});

describe('[NM-1] Direct', () => {
  const denied = [{ first: '0.0.0.0', last: '0.255.255.255' }];
  const direct = (over: Partial<PolicyIntent> = {}): PolicyIntent =>
    intent(1, { mode: 'Direct', endpoint: null, denied, strictWireGuard: false, graceSeconds: 0, ...over });

  test('has no endpoint, and denies the other guests besides', () => {
    const policy = intendedPolicy(direct(), record, first(), at(100n));
    expect(policy).toMatchObject({ mode: 'Direct', endpoint: null, previous: null });
    expect(policy.denied).toEqual([...denied, { first: '100.64.0.0', last: '100.64.255.255' }]);
    expect(decodePolicy(encodePolicy(policy))).toEqual(policy);
    expect(intendedPolicy(direct(), record, policy, at(101n))).toBe(policy);
  });

  test('another range is another policy', () => {
    const policy = intendedPolicy(direct(), record, null, at(100n));
    const more = [...denied, { first: '10.0.0.0', last: '10.0.0.0' }];
    const next = intendedPolicy(direct({ denied: more }), record, policy, at(101n));
    expect([next.generation, next.denied?.length]).toEqual([policy.generation + 1n, 3]);
  });

  test('no grace leads into it or out of it', () => {
    const policy = intendedPolicy(direct(), record, first(), at(100n));
    expect(intendedPolicy(intent(2, { graceSeconds: 30 }), record, policy, at(101n)).previous).toBeNull();
    expect(intendedPolicy(direct({ previous: null }), record, first(), at(101n)).previous).toBeNull();
  });
});
