import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FirewallBypass, isEvidence } from '../../../src/agent/status/firewall-bypass.ts';
import { REASONS } from '../../../src/filter/reason-table.ts';
import type { FilterEvent } from '../../../src/native/events.ts';
import { CAST, fromGuest } from '../../support/frames/cast.ts';
import { WireGuard, wireGuardShape } from '../../support/frames/index.ts';

const reasonOf = (name: string): number => REASONS.find((one) => one.name === name)?.number ?? -1;
const event = (change: Partial<FilterEvent> = {}): FilterEvent => ({
  ...{ kind: 'drop', audited: false, timeNs: 0n, generation: 1n, ifindex: 7, frameBytes: 98 },
  ...{ direction: 'from-vm', reason: reasonOf('DestinationAddress') },
  head: fromGuest(CAST, {
    ip: { destination: '192.0.2.66' },
    udp: { payload: new Uint8Array(64).fill(0x41) },
  }).subarray(0, 64),
  ...change,
});
const at = (seconds: number) => ({ time: new Date(seconds * 1000).toISOString(), summary: 'a frame' });

describe('evidence against the firewall of a guest', () => {
  test.each([
    ['a unicast datagram to somebody else', {}, true],
    ['the same to the guest', { direction: 'to-vm' }, false],
    ['IPv6 to one', { reason: reasonOf('Ipv6') }, true],
    ['ICMP to the endpoint', { reason: reasonOf('IcmpToEndpoint') }, true],
    ['another EtherType', { reason: reasonOf('EtherType') }, false],
    ['ARP for somebody else', { reason: reasonOf('ArpNotGateway') }, false],
    ['too much of what is allowed', { reason: reasonOf('NotWireGuard') }, false],
    ['a head of nothing', { head: new Uint8Array() }, false],
  ] as const)('%s', (_what, change, expected) => {
    expect(isEvidence(event(change as Partial<FilterEvent>))).toBe(expected);
  });

  test('what goes to many is none: DHCP and boot loaders', () => {
    const head = Uint8Array.from(event().head);
    head[0] = 0xff;
    expect(isEvidence(event({ head }))).toBe(false);
  });

  test('an endpoint of before is called by a guest that obeys, in all four shapes of WireGuard', () => {
    for (const { type, bytes } of [WireGuard.initiation, WireGuard.response]) {
      const frame = fromGuest(CAST, {
        ip: { destination: '192.0.2.66' },
        udp: { payload: wireGuardShape(type, bytes) },
      });
      expect(isEvidence(event({ head: frame.subarray(0, 64) }))).toBe(false);
    }
  });

  test('no head of any bytes and length throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(60), (head, reason) => {
        expect(typeof isEvidence(event({ head, reason }))).toBe('boolean');
      }),
    );
  });
});

describe('a bypass', () => {
  test('is told at the third frame within a minute, once, and of that card alone', () => {
    const bypass = new FirewallBypass();
    expect([0, 10, 20, 30].map((s) => bypass.note('one', event(), at(s)))).toEqual([
      false,
      false,
      true,
      false,
    ]);
    expect(bypass.of('one')).toEqual({
      since: at(20).time,
      reason: 'DestinationAddress',
      summary: 'a frame',
    });
    expect(bypass.of('two')).toBeNull();
  });

  test('is not told of strays, however many there are', () => {
    const bypass = new FirewallBypass();
    for (let s = 0; s < 3600; s += 31) expect(bypass.note('one', event(), at(s))).toBe(false);
    expect(bypass.of('one')).toBeNull();
  });

  test('is forgotten once its VM has ended, and not before', () => {
    const bypass = new FirewallBypass();
    for (const s of [0, 1, 2]) bypass.note('one', event(), at(s));
    bypass.keepOnly(new Set(['one']));
    expect(bypass.of('one')).not.toBeNull();
    bypass.keepOnly(new Set());
    expect(bypass.of('one')).toBeNull();
  });

  test('is told exactly when some minute has three frames of evidence', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(90), { maxLength: 12 }), (gaps) => {
        const bypass = new FirewallBypass();
        let now = 0;
        const times = gaps.map((gap) => (now += gap));
        for (const s of times) bypass.note('one', event(), at(s));
        const isEnough = times.some((s, i) => i >= 2 && s - (times[i - 2] ?? 0) < 60);
        expect(bypass.of('one') !== null).toBe(isEnough);
      }),
    );
  });
});
