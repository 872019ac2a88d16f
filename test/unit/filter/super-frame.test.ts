import { describe, expect, test } from '@jest/globals';
import type { Circumstances } from '../../../src/filter/filtering-strategy.ts';
import { Full } from '../../../src/filter/full.ts';
import { CAST, fromGuest, toGuest } from '../../support/frames/cast.ts';
import { concat, pattern } from '../../support/frames/bytes.ts';
import type { PolicyFields } from '../../support/frames/policy-bytes.ts';
import { wireGuardShape } from '../../support/frames/wireguard.ts';
import { fromVm, policyWith, toVm } from '../../support/frames-generator/judged.ts';

const udp = (segmentBytes: number): Partial<Circumstances> => ({
  superFrame: { kind: 'udp', segmentBytes },
});
const carrying = (payload: Uint8Array): Uint8Array => fromGuest(CAST, { udp: { payload } });
const under = (fields: Partial<PolicyFields> = {}) => fromVm(new Full(), policyWith(fields));
/** Whole messages of one length, and one that may be shorter at the end. */
const messages = (count: number, bytes: number, ...last: Uint8Array[]): Uint8Array =>
  concat(...Array.from({ length: count }, () => wireGuardShape(4, bytes)), ...last);

describe('[SB-5] a super-frame is judged as the packets it will be', () => {
  test('the same datagrams pass, both ways, with a checksum left to the host as well', () => {
    const payload = messages(4, 320);
    expect(under()(carrying(payload), udp(320)).reason).toBe('Allowed');
    expect(under()(carrying(payload), { ...udp(320), pendingChecksumAt: 40 }).reason).toBe('Allowed');
    const judged = toVm(new Full(), policyWith({ strict: true }));
    expect(judged(toGuest(CAST, { udp: { payload } }), udp(320)).reason).toBe('Allowed');
  });

  test.each([
    [1, 'Allowed'],
    [127, 'Allowed'],
    [128, 'Allowed'],
    [129, 'SuperFrame'],
    [1000, 'SuperFrame'],
  ])('%i segments: %s', (count, reason) => {
    expect(under()(carrying(messages(count, 32)), udp(32)).reason).toBe(reason);
  });

  test('the last segment counts, however short', () => {
    expect(under()(carrying(pattern(128 * 32)), udp(32)).reason).toBe('Allowed');
    expect(under()(carrying(pattern(128 * 32 + 1)), udp(32)).reason).toBe('SuperFrame');
  });

  test('segments of nothing, or nothing to cut, cannot be', () => {
    expect(under()(carrying(pattern(64)), udp(0)).reason).toBe('SuperFrame');
    expect(under()(carrying(new Uint8Array()), udp(32)).reason).toBe('SuperFrame');
  });

  test('bytes behind the packet would become packets: none may be there', () => {
    const payload = messages(2, 32);
    expect(under()(concat(carrying(payload), Uint8Array.of(0)), udp(32)).reason).toBe('SuperFrame');
    expect(under()(concat(carrying(payload), Uint8Array.of(0))).reason).toBe('Allowed');
  });

  test('only of datagrams: what is cut in another way is not judged', () => {
    expect(under()(carrying(messages(2, 32)), { superFrame: { kind: 'other' } }).reason).toBe('SuperFrame');
    const tcp = fromGuest(CAST, { ip: { protocol: 6 } });
    expect(under()(tcp, { superFrame: { kind: 'other' } }).reason).toBe('Protocol');
  });

  test('strict: every segment is a WireGuard message, by its own length', () => {
    const strict = under({ strict: true });
    expect(strict(carrying(messages(3, 320)), udp(320)).reason).toBe('Allowed');
    expect(strict(carrying(messages(3, 320, wireGuardShape(4, 48))), udp(320)).reason).toBe('Allowed');
    expect(strict(carrying(messages(3, 320, wireGuardShape(4, 33))), udp(320)).reason).toBe('NotWireGuard');
    expect(strict(carrying(messages(3, 320, Uint8Array.of(4))), udp(320)).reason).toBe('NotWireGuard');
    for (const damaged of [0, 1, 2]) {
      const payload = messages(3, 320);
      payload[damaged * 320 + 1] = 1;
      expect(strict(carrying(payload), udp(320)).reason).toBe('NotWireGuard');
    }
    // One message as a whole, but not where it will be cut.
    expect(strict(carrying(wireGuardShape(4, 640))).reason).toBe('Allowed');
    expect(strict(carrying(wireGuardShape(4, 640)), udp(320)).reason).toBe('NotWireGuard');
  });
});

describe('[SB-5] no packet is longer than the policy lets it be', () => {
  const limited = under({ maxPacketBytes: 1500 });

  test.each([
    [1472, 'Allowed'],
    [1473, 'PacketTooBig'],
    [8972, 'PacketTooBig'],
    [65_507, 'PacketTooBig'],
  ])('one datagram of %i bytes: %s', (bytes, reason) => {
    expect(limited(carrying(pattern(bytes))).reason).toBe(reason);
    expect(under()(carrying(pattern(bytes))).reason).toBe('Allowed');
  });

  test.each([
    [10_000, 1472, 'Allowed'],
    [10_000, 1473, 'PacketTooBig'],
    [1472, 65_535, 'Allowed'], // one segment, which is all there is
    [1473, 65_535, 'PacketTooBig'],
  ])('%i bytes in segments of %i: %s', (bytes, segmentBytes, reason) => {
    expect(limited(carrying(pattern(bytes)), udp(segmentBytes)).reason).toBe(reason);
  });

  test('padding behind a packet is not the packet', () => {
    expect(limited(concat(carrying(pattern(1472)), new Uint8Array(500))).reason).toBe('Allowed');
  });

  test('it is looked at after the header and before the addresses', () => {
    const payload = pattern(2000);
    const from = (ip: object): string => limited(fromGuest(CAST, { ip, udp: { payload } })).reason;
    expect(from({ ttl: 0 })).toBe('IpTtl');
    expect(from({ source: CAST.gatewayAddress })).toBe('PacketTooBig');
  });
});
