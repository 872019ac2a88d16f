import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Conntrack } from '../../../src/filter/conntrack.ts';
import type { FilterPolicy, PolicyInForce } from '../../../src/filter/filter-policy.ts';
import type { Circumstances, Direction } from '../../../src/filter/filtering-strategy.ts';
import { FlowTable } from '../../../src/filter/flow-table.ts';
import { newFilterMemory } from '../../../src/filter/filter-memory.ts';
import { Full } from '../../../src/filter/full.ts';
import { Sampled } from '../../../src/filter/sampled.ts';
import { strategyFor } from '../../../src/filter/strategy.ts';
import type { Verdict } from '../../../src/filter/verdict.ts';
import { ipv4Bytes, macBytes } from '../../support/frames/address.ts';
import { CAST } from '../../support/frames/cast.ts';
import { internetChecksum } from '../../support/frames/checksum.ts';
import { Mode, type PolicyFields } from '../../support/frames/policy-bytes.ts';
import { circumstances, leniency, policyFields, sent } from '../../support/frames-generator/arbitrary.ts';
import { inForce } from '../../support/frames-generator/policy.ts';

/** Seeds are fast-check's, which prints the one of a failure. */
const RUNS = { numRuns: 2000 };

type Question = [Direction, PolicyInForce, Uint8Array, Circumstances];

const full = (...question: Question): Verdict => new Full().judge(...question);
/** By a filter that has seen nothing before. */
const fresh = (...question: Question): Verdict => strategyFor(question[1]).judge(...question);

/** Holds for any frame under any policy in any circumstances. */
function always(
  property: (
    way: Direction,
    fields: PolicyFields,
    bytes: Uint8Array,
    beside: Circumstances,
    lenient: Partial<PolicyFields>,
  ) => void,
): void {
  fc.assert(
    fc.property(policyFields, sent, circumstances, leniency, (fields, { way, bytes }, beside, lenient) =>
      property(way, fields, bytes, beside, lenient),
    ),
    RUNS,
  );
}

/** Drops for what a frame is, and not for whom it is for: no mode and no Audit may let such a frame pass. */
function isAboutIdentity({ action, reason }: Verdict, way: Direction): boolean {
  if (action !== 'drop') return false;
  switch (reason) {
    case 'Protocol':
    case 'IcmpToEndpoint':
    case 'UdpLength':
    case 'DestinationPort':
    case 'PreviousEndpointExpired':
    case 'SourcePort':
    case 'NotWireGuard':
    case 'SuperFrame':
      return false;
    case 'SourceAddress':
      return way === 'from-vm';
    case 'DestinationAddress':
      return way === 'to-vm';
    default:
      return true;
  }
}

/** What must be true of any IPv4 frame that passes, read from its bytes by hand. */
function isOwnPacket(
  way: Direction,
  { maxPacketBytes }: FilterPolicy,
  bytes: Uint8Array,
  beside: Circumstances,
): boolean {
  const ends = [CAST.gatewayMac, CAST.guestMac].map(macBytes);
  const macs = Buffer.concat(way === 'from-vm' ? ends : ends.reverse());
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const totalBytes = view.getUint16(16);
  const guestAt = way === 'from-vm' ? 26 : 30;
  const at = beside.pendingChecksumAt;
  return (
    macs.equals(bytes.subarray(0, 12)) &&
    !beside.vlanInMetadata &&
    view.getUint32(12) >>> 8 === 0x080045 &&
    totalBytes >= 20 &&
    totalBytes <= bytes.length - 14 &&
    (view.getUint16(20) & 0xbfff) === 0 &&
    bytes[22] !== 0 &&
    internetChecksum(bytes.subarray(14, 34)) === 0 &&
    (maxPacketBytes === 0 || beside.superFrame !== null || totalBytes <= maxPacketBytes) &&
    Buffer.compare(bytes.subarray(guestAt, guestAt + 4), ipv4Bytes(CAST.guestAddress)) === 0 &&
    (at === null || (bytes[23] === 17 && at === 40) || (bytes[23] === 6 && at === 50)) &&
    becomesWholePackets(maxPacketBytes, bytes, totalBytes, beside.superFrame)
  );
}

/** A super-frame is of the protocol it says, ends where its packet ends, and becomes packets that are not too big. */
function becomesWholePackets(
  maxPacketBytes: number,
  bytes: Uint8Array,
  totalBytes: number,
  superFrame: Circumstances['superFrame'],
): boolean {
  if (superFrame === null) return true;
  if (superFrame.kind === 'other' || superFrame.segmentBytes === 0 || bytes.length !== 14 + totalBytes)
    return false;
  const tcpHeader = ((bytes[46] ?? 0) >> 4) * 4;
  if (superFrame.kind === 'udp' ? bytes[23] !== 17 : bytes[23] !== 6 || tcpHeader < 20) return false;
  const headers = 20 + (superFrame.kind === 'udp' ? 8 : tcpHeader);
  const largest = headers + Math.min(superFrame.segmentBytes, totalBytes - headers);
  return totalBytes > headers && (maxPacketBytes === 0 || largest <= maxPacketBytes);
}

describe('whatever the bytes, the policy and the circumstances', () => {
  test('no strategy throws, and none touches the frame', () => {
    always((way, fields, bytes, beside, lenient) => {
      const before = Uint8Array.from(bytes);
      const policy = inForce({
        ...fields,
        ...lenient,
        egressBitsPerSecond: 1000,
        packetsPerSecond: 10,
        violation: { threshold: 2, windowMs: 5 },
      });
      const memory = newFilterMemory();
      for (const given of [policy, policy, 'none', 'foreign'] as const) {
        const { action, answer, audited } = strategyFor(given, memory).judge(way, given, bytes, beside);
        expect(['allow', 'drop', 'reply']).toContain(action);
        expect(answer === undefined).toBe(action !== 'reply');
        if (audited) expect(action).toBe('allow');
      }
      expect(Buffer.compare(bytes, before)).toBe(0);
    });
  });

  test('what full drops for who the guest is, every mode drops for the same reason, audited or not', () => {
    let met = 0;
    always((way, fields, bytes, beside, lenient) => {
      const strictly = full(way, inForce(fields), bytes, beside);
      if (!isAboutIdentity(strictly, way)) return;
      met += 1;
      const said = fresh(way, inForce({ ...fields, ...lenient }), bytes, beside);
      // Direct asks of a super-frame only whether it is sound; the others, when they judge one, what is wrong with it.
      const isOtherwise = lenient.mode === Mode.direct && beside.superFrame !== null;
      expect(isOtherwise ? said.action : said).toEqual(isOtherwise ? 'drop' : strictly);
    });
    expect(met).toBeGreaterThan(RUNS.numRuns / 4);
  });

  test('what passes in any mode is a sound packet of the guest, or for it, or ARP with the gateway', () => {
    let passed = 0;
    always((way, fields, bytes, beside, lenient) => {
      const policy = inForce({ ...fields, ...lenient });
      const { action, reason } = fresh(way, policy, bytes, beside);
      if (action === 'drop') return;
      passed += 1;
      expect(reason === 'ArpAnswered' || isOwnPacket(way, policy, bytes, beside)).toBe(true);
    });
    expect(passed).toBeGreaterThan(RUNS.numRuns / 20);
  });

  test('a filter is as lenient as its policy says, and no more: without Audit nothing is audited', () => {
    always((way, fields, bytes, beside, lenient) => {
      const policy = inForce({ ...fields, ...lenient, audit: false });
      expect(fresh(way, policy, bytes, beside).audited).toBe(false);
    });
  });

  test('Audit changes no reason, and passes nothing but drops about whom the guest talks to', () => {
    always((way, fields, bytes, beside, { audit: _, ...lenient }) => {
      const enforced = fresh(way, inForce({ ...fields, ...lenient }), bytes, beside);
      const audited = fresh(way, inForce({ ...fields, ...lenient, audit: true }), bytes, beside);
      expect(audited.reason).toBe(enforced.reason);
      if (!audited.audited) expect(audited).toEqual(enforced);
      else expect([enforced.action, isAboutIdentity(enforced, way)]).toEqual(['drop', false]);
    });
  });
});

describe('[FS-3] sampled', () => {
  const sampling = (fields: PolicyFields, samplePerMillion: number): FilterPolicy =>
    inForce({ ...fields, mode: Mode.sampled, samplePerMillion });

  test('a million of a million is full', () => {
    always((way, fields, bytes, beside) => {
      const sampled = new Sampled().judge(way, sampling(fields, 1_000_000), bytes, beside);
      expect(sampled).toEqual(full(way, inForce(fields), bytes, beside));
    });
  });

  test('none of a million: as full for who the guest is and for ARP, and the rest passes unsampled', () => {
    let unsampled = 0;
    always((way, fields, bytes, beside) => {
      const sampled = new Sampled().judge(way, sampling(fields, 0), bytes, beside);
      const strictly = full(way, inForce(fields), bytes, beside);
      if (sampled.reason === 'AllowedUnsampled') {
        unsampled += 1;
        expect(strictly.reason).not.toBe('ArpAnswered');
        expect(isAboutIdentity(strictly, way)).toBe(false);
        expect(isOwnPacket(way, inForce(fields), bytes, beside)).toBe(true);
      } else {
        expect(sampled).toEqual(strictly);
        const isArp = strictly.reason === 'ArpAnswered';
        const unsound = strictly.action === 'drop' && !safelyOwn(way, inForce(fields), bytes, beside);
        expect(isArp || unsound).toBe(true);
      }
    });
    expect(unsampled).toBeGreaterThan(RUNS.numRuns / 20);
  });
});

/** As isOwnPacket, of frames that may be too short to ask; a quarantined VM has no packets. */
function safelyOwn(...[way, policy, bytes, beside]: Parameters<typeof isOwnPacket>): boolean {
  return !policy.quarantined && bytes.length >= 34 && isOwnPacket(way, policy, bytes, beside);
}

describe('[FS-2] conntrack', () => {
  const tracking = (fields: PolicyFields): FilterPolicy => inForce({ ...fields, mode: Mode.conntrack });

  test('judges every first frame as full does', () => {
    always((way, fields, bytes, beside) => {
      const tracked = new Conntrack(new FlowTable()).judge(way, tracking(fields), bytes, beside);
      expect(tracked).toEqual(full(way, inForce(fields), bytes, beside));
    });
  });

  test('judges a frame that full allows as part of its flow from then on, and others as before', () => {
    let flows = 0;
    always((way, fields, bytes, beside) => {
      const conntrack = new Conntrack(new FlowTable());
      const [first, second, third] = [1, 2, 3].map(() =>
        conntrack.judge(way, tracking(fields), bytes, beside),
      );
      expect(third).toEqual(second);
      if (first?.reason === 'Allowed') {
        flows += 1;
        expect(second).toMatchObject({ action: 'allow', reason: 'AllowedFlow' });
      } else expect(second).toEqual(first);
    });
    expect(flows).toBeGreaterThan(RUNS.numRuns / 200);
  });
});
