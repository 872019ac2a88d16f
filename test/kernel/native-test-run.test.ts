import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { removePins } from '../../src/native/bpffs.ts';
import { attachFilter, testRun, writePolicy } from '../../src/native/filter-engine.ts';
import { openOfflineFilter, type OfflineFilter } from '../../src/native/offline-filter.ts';
import { CAST, fromGuest, PINNED, STRANGER } from '../support/frames/cast.ts';
import { Mode, policyBytes } from '../support/frames/policy-bytes.ts';
import { symbolOf } from '../support/frames/reasons.ts';
import { HeldTap } from '../support/native/held-tap.ts';

const plain = policyBytes({ ...PINNED, generation: 1n });
const allowed = fromGuest(CAST);
const forbidden = fromGuest(CAST, { ip: { destination: STRANGER.address } });
const TC_ACT_UNSPEC = -1;
const TC_ACT_SHOT = 2;

let offline: OfflineFilter;
beforeEach(() => {
  offline = openOfflineFilter();
  offline.setPolicy(plain);
});
afterEach(() => {
  offline.close();
});

const verdict = (frame: Uint8Array, meta = {}): string =>
  symbolOf(offline.run('from-vm', frame, meta).reason);

describe('a filter that is attached to nothing', () => {
  test('is deny-all at first, judges by the policy it is given, and is deny-all again without', () => {
    const fresh = openOfflineFilter();
    expect(symbolOf(fresh.run('from-vm', allowed).reason)).toBe('NO_POLICY');
    fresh.setPolicy(plain);
    expect(fresh.run('from-vm', allowed)).toMatchObject({ action: TC_ACT_UNSPEC, reason: 0, audited: false });
    expect(fresh.run('from-vm', forbidden)).toMatchObject({ action: TC_ACT_SHOT, audited: false, nonce: 0n });
    fresh.setPolicy(null);
    expect(symbolOf(fresh.run('from-vm', allowed).reason)).toBe('NO_POLICY');
    fresh.close();
    fresh.close();
    expect(() => fresh.run('from-vm', allowed)).toThrow('closed');
  });

  test('two of them know nothing of each other', () => {
    const other = openOfflineFilter();
    expect(symbolOf(other.run('from-vm', allowed).reason)).toBe('NO_POLICY');
    expect(verdict(allowed)).toBe('ALLOWED');
    other.close();
  });

  test('remembers flows as a VM’s filter does', () => {
    offline.setPolicy(policyBytes({ ...PINNED, mode: Mode.conntrack }));
    expect([verdict(allowed), verdict(allowed)]).toEqual(['ALLOWED', 'ALLOWED_FLOW']);
  });

  test('says what mode Sampled drew by, and what a policy that only counts let through', () => {
    const half = policyBytes({ ...PINNED, mode: Mode.sampled, samplePerMillion: 500_000 });
    offline.setPolicy(half);
    const nonces = new Set(Array.from({ length: 100 }, () => offline.run('from-vm', allowed).nonce));
    expect(nonces.size).toBe(100);
    offline.setPolicy(policyBytes({ ...PINNED, audit: true }));
    const { action, reason, audited } = offline.run('from-vm', forbidden);
    expect({ action, reason: symbolOf(reason), audited }).toEqual({
      action: TC_ACT_UNSPEC,
      reason: 'DESTINATION_ADDRESS',
      audited: true,
    });
  });

  test('refuses what is no policy', () => {
    expect(() => {
      offline.setPolicy(plain.subarray(1));
    }).toThrow(TypeError);
  });
});

describe('frames that BPF_PROG_TEST_RUN alone cannot be asked about', () => {
  test('a VLAN tag beside the frame', () => {
    expect(verdict(allowed, { vlanInMetadata: true })).toBe('VLAN');
    expect(verdict(allowed)).toBe('ALLOWED');
  });

  test('an IP frame without a whole IP header', () => {
    for (const length of [14, 20, 33]) expect(verdict(allowed.subarray(0, length))).toBe('FRAME_TOO_SHORT');
    const ipv6 = allowed.slice(0, 30);
    ipv6.set([0x86, 0xdd], 12);
    expect(verdict(ipv6)).toBe('IPV6');
  });

  test('a frame longer than a page, whose every byte comes back', () => {
    for (const payloadBytes of [2000, 4000, 9000, 15_900]) {
      const payload = Uint8Array.from({ length: payloadBytes }, (_, i) => i % 251);
      const frame = fromGuest(CAST, { udp: { payload } });
      const run = offline.run('from-vm', frame);
      expect({ payloadBytes, reason: symbolOf(run.reason) }).toEqual({ payloadBytes, reason: 'ALLOWED' });
      expect(Buffer.compare(run.frame, frame)).toBe(0);
    }
    const policy = policyBytes({ ...PINNED, maxPacketBytes: 1500 });
    offline.setPolicy(policy);
    expect(verdict(fromGuest(CAST, { udp: { payload: new Uint8Array(4000) } }))).toBe('PACKET_TOO_BIG');
  });

  test('a super-frame is one of an unknown kind', () => {
    expect(verdict(allowed, { gsoSize: 100 })).toBe('SUPER_FRAME');
  });

  test.each([
    ['less than an Ethernet header', allowed.subarray(0, 13), {}, 'less than 14'],
    ['more than the kernel grows a frame to', new Uint8Array(16_001), {}, 'more than 16000'],
    ['a checksum that is still to be written', allowed, { pendingChecksumOffset: 40 }, 'pending checksum'],
  ])('%s is refused with a reason', (_, frame, meta, words) => {
    expect(() => offline.run('from-vm', frame, meta)).toThrow(
      expect.objectContaining({ code: 'VMN_TEST_RUN', message: expect.stringContaining(words) }),
    );
  });
});

describe('a pinned filter', () => {
  let held: HeldTap;
  beforeAll(async () => {
    held = await HeldTap.open('test-run');
  }, 30_000);
  afterAll(async () => {
    removePins(held.pinDir, { attachedToo: true });
    await held?.close();
  }, 30_000);

  test('can be asked the same', () => {
    attachFilter(held.pinDir, held.ifindex);
    writePolicy(held.pinDir, policyBytes({ ...PINNED, audit: true }));
    const asked = (frame: Uint8Array, meta = {}): string =>
      symbolOf(testRun(held.pinDir, 'from-vm', frame, meta).reason);
    expect(asked(allowed)).toBe('ALLOWED');
    expect(asked(allowed, { vlanInMetadata: true })).toBe('VLAN');
    expect(asked(allowed.subarray(0, 20))).toBe('FRAME_TOO_SHORT');
    expect(testRun(held.pinDir, 'from-vm', forbidden)).toMatchObject({
      audited: true,
      action: TC_ACT_UNSPEC,
    });
    expect(() => asked(allowed, { pendingChecksumOffset: 40 })).toThrow(
      expect.objectContaining({ code: 'VMN_TEST_RUN' }),
    );
  });
});
