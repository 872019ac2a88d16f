import { describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { decodePolicy, encodePolicy, policyHash, type Policy } from '../../src/native/policy-abi.ts';
import { judge } from '../../src/native/verdict.ts';
import { CAST, fromGuest, OTHER_VM, STRANGER } from '../support/frames/cast.ts';
import { Mode, policyBytes } from '../support/frames/policy-bytes.ts';
import { symbolOf } from '../support/frames/reasons.ts';

const policy: Policy = {
  flags: { quarantined: false, strictWireGuard: true, audit: true },
  generation: 0x0102030405060708n,
  guestMac: CAST.guestMac,
  gatewayMac: CAST.gatewayMac,
  guestAddress: CAST.guestAddress,
  gatewayAddress: CAST.gatewayAddress,
  mode: 'Sampled',
  endpoint: CAST.endpoint,
  previous: { ...CAST.previous, untilNs: 0x1112131415161718n },
  secret: Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i),
  limits: { egressBitsPerSecond: 99_887_766_554, packetsPerSecond: 987_654_321 },
  samplePerMillion: 12_345,
  maxPacketBytes: 1500,
  violation: { threshold: 0x01020304, windowMs: 0x05060708 },
};

describe('policy encoding', () => {
  test('the bytes are those of abi.h, written by hand', () => {
    const expected = policyBytes({
      ...CAST,
      strict: true,
      audit: true,
      mode: Mode.sampled,
      generation: 0x0102030405060708n,
      previous: { ...CAST.previous, untilNs: 0x1112131415161718n },
      secret: policy.secret,
      egressBitsPerSecond: 99_887_766_554,
      packetsPerSecond: 987_654_321,
      samplePerMillion: 12_345,
      maxPacketBytes: 1500,
      violation: { threshold: 0x01020304, windowMs: 0x05060708 },
    });
    expect(Buffer.from(encodePolicy(policy)).toString('hex')).toBe(Buffer.from(expected).toString('hex'));
  });

  test('no previous endpoint is zeros, and reads back as none', () => {
    const bytes = encodePolicy({ ...policy, previous: null });
    expect([...bytes.subarray(48, 64)]).toEqual(Array.from({ length: 16 }, () => 0));
    expect(decodePolicy(bytes).previous).toBeNull();
  });

  test.each([
    ['as given', policy],
    ['quarantined', { ...policy, flags: { quarantined: true, strictWireGuard: false, audit: false } }],
    ['no previous', { ...policy, previous: null }],
    ['Conntrack', { ...policy, mode: 'Conntrack', samplePerMillion: 0 }],
    ['Filtered', { ...policy, mode: 'Filtered', samplePerMillion: 0 }],
    ['no threshold', { ...policy, violation: { threshold: 0, windowMs: 0 } }],
    [
      'largest numbers',
      { ...policy, generation: 2n ** 64n - 1n, endpoint: { address: '255.255.255.254', port: 65535 } },
    ],
  ] as [string, Policy][])('decode undoes encode: %s', (_, given) => {
    expect(decodePolicy(encodePolicy(given))).toEqual(given);
  });

  test('the hash is SHA-256 of the bytes with zeros for the secret', () => {
    const bytes = encodePolicy(policy);
    expect(bytes.length).toBe(4232);
    const shown = Buffer.concat([bytes.subarray(0, 64), Buffer.alloc(16), bytes.subarray(80)]);
    expect(policyHash(bytes)).toBe(createHash('sha256').update(shown).digest('hex'));
  });

  test('what TypeScript writes is what C reads', () => {
    const bytes = encodePolicy({
      ...policy,
      flags: { quarantined: false, strictWireGuard: false, audit: false },
      mode: 'Filtered',
      samplePerMillion: 0,
      maxPacketBytes: 100,
    });
    const judged = (frame: Uint8Array): string => symbolOf(judge('from-vm', bytes, frame, { nowNs: 0n }));
    expect(judged(fromGuest(CAST))).toBe('ALLOWED');
    expect(judged(fromGuest(CAST, { ethernet: { source: OTHER_VM.mac } }))).toBe('SOURCE_MAC');
    expect(judged(fromGuest(CAST, { ethernet: { destination: OTHER_VM.mac } }))).toBe('DESTINATION_MAC');
    expect(judged(fromGuest(CAST, { ip: { source: OTHER_VM.address } }))).toBe('SOURCE_ADDRESS');
    expect(judged(fromGuest(CAST, { ip: { destination: STRANGER.address } }))).toBe('DESTINATION_ADDRESS');
    expect(judged(fromGuest(CAST, { udp: { destinationPort: 1 } }))).toBe('DESTINATION_PORT');
    expect(judged(fromGuest(CAST, { udp: { payload: new Uint8Array(73) } }))).toBe('PACKET_TOO_BIG');
  });

  test('the offsets asserted in abi.h are those the hand-written encoder uses', () => {
    const header = readFileSync(new URL('../../native/include/vmn/abi.h', import.meta.url), 'utf8');
    const offsets: Record<string, number> = Object.fromEntries(
      [...header.matchAll(/VMN_AT\(vmn_policy, (\w+), (\d+)\)/g)].map(
        ([, field = '', offset]): [string, number] => [field, Number(offset)],
      ),
    );
    expect(offsets).toEqual({
      abi: 0,
      flags: 4,
      generation: 8,
      guest_mac: 16,
      gateway_mac: 22,
      guest_address_be: 28,
      gateway_address_be: 32,
      mode: 36,
      endpoint: 40,
      previous: 48,
      previous_until_ns: 56,
      secret: 64,
      egress_bits_per_second: 80,
      packets_per_second: 88,
      sample_per_million: 96,
      max_packet_bytes: 100,
      violation_threshold: 104,
      violation_window_ms: 108,
      reserved: 112,
      denied_count: 128,
      denied: 136,
    });
  });
});
