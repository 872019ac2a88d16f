import { describe, expect, test } from '@jest/globals';
import { POLICY_BYTES } from '../../src/native/policy-abi.ts';
import { judge, type Direction } from '../../src/native/verdict.ts';
import {
  arpAnswer,
  arpRequest,
  CAST,
  fromGuest,
  OTHER_VM,
  PINNED,
  policyOf,
  STRANGER,
  toGuest,
} from '../support/frames/cast.ts';
import { fromVmCases, reasonsOf, toVmCases, type FrameCase } from '../support/frames/cases/index.ts';
import { tagged } from '../support/frames/ethernet.ts';
import { isDropSymbol, symbolOf } from '../support/frames/reasons.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';

const NOW = 1_000_000_000_000n;
const tables: [Direction, FrameCase[]][] = [
  ['from-vm', fromVmCases(CAST)],
  ['to-vm', toVmCases(CAST)],
];

// Only the rows of the parser and the allowlist: the bypass rows (SB) are proven by real frames, in test/kernel.
const PROVEN_HERE = /^(EF|IP|AL)-/;

function title({ name, ids = [] }: FrameCase): string {
  const carried = ids.filter((id) => PROVEN_HERE.test(id)).map((id) => `[${id}] `);
  return carried.join('') + name;
}

/** The verdict's symbol for the frame that would pass, or another, under one kind of policy. */
function verdict(
  direction: Direction,
  { policy = 'plain', frame, segmentBytes, checksum }: FrameCase,
): string {
  const bytes = policyOf(policy, CAST, NOW);
  const pendingChecksumOffset = checksum === undefined ? 0 : checksum.start + checksum.offset;
  const superFrame = segmentBytes === undefined ? {} : ({ superFrame: 'udp', segmentBytes } as const);
  const meta = { nowNs: NOW, ...superFrame, pendingChecksumOffset };
  return symbolOf(judge(direction, bytes, frame, meta));
}

describe.each(tables)('verdict %s', (direction, cases) => {
  for (const item of cases) {
    test(title(item), () => {
      expect(reasonsOf(item)).toContain(verdict(direction, item));
    });
  }

  test('[AL-1] an empty list blocks everything, and says so', () => {
    const verdicts = cases.map((item) => verdict(direction, { ...item, policy: 'none' }));
    expect(new Set(verdicts)).toEqual(new Set(['NO_POLICY']));
  });

  test('[AL-2] of the whole table only what is listed as passing passes', () => {
    const passed = cases.filter((item) => !isDropSymbol(verdict(direction, item))).map(({ name }) => name);
    const expected = cases.filter((item) => !reasonsOf(item).some(isDropSymbol)).map(({ name }) => name);
    expect(passed).toEqual(expected);
    expect(passed.length).toBeGreaterThan(5);
  });

  test('[EF-2] any frame cut anywhere gives a verdict, and before its last byte never a pass', () => {
    for (const { frame, policy = 'plain' } of cases) {
      if (frame.length > 200) continue;
      const bytes = policyOf(policy, CAST, NOW);
      for (let kept = 0; kept < 14 + 20 + 8; kept += 1) {
        if (kept >= frame.length) break;
        const symbol = symbolOf(judge(direction, bytes, frame.subarray(0, kept), { nowNs: NOW }));
        expect([kept, isDropSymbol(symbol)]).toEqual([kept, true]);
        if (kept < 14 && (policy === 'plain' || policy === 'strict'))
          expect([kept, symbol]).toEqual([kept, 'FRAME_TOO_SHORT']);
      }
    }
  });

  test('a tag in the metadata is a tag', () => {
    const frame = direction === 'from-vm' ? fromGuest(CAST) : toGuest(CAST);
    const meta = { nowNs: NOW, vlanInMetadata: true };
    expect(symbolOf(judge(direction, policyOf('plain', CAST, NOW), frame, meta))).toBe('VLAN');
  });

  test('a checksum still to be written may go where UDP has it, and nowhere else', () => {
    const frame = direction === 'from-vm' ? fromGuest(CAST) : toGuest(CAST);
    const wrong: number[] = [];
    for (
      let pendingChecksumOffset = 1;
      pendingChecksumOffset < frame.length + 2;
      pendingChecksumOffset += 1
    ) {
      const meta = { nowNs: NOW, pendingChecksumOffset };
      const symbol = symbolOf(judge(direction, policyOf('plain', CAST, NOW), frame, meta));
      if (symbol !== (pendingChecksumOffset === 40 ? 'ALLOWED' : 'CHECKSUM_OFFLOAD'))
        wrong.push(pendingChecksumOffset);
    }
    expect(wrong).toEqual([]);
  });

  test('quarantined: nothing passes, not even what is allowed twice', () => {
    const previous = { ...CAST.previous, untilNs: NOW + 1n };
    const bytes = policyBytes({ ...CAST, quarantined: true, previous });
    for (const { frame } of cases) {
      expect(symbolOf(judge(direction, bytes, frame, { nowNs: NOW }))).toBe('QUARANTINED');
    }
  });

  test.each([0, 5, 6, 0xffffffff])('mode %i is not known: nothing passes', (mode) => {
    const bytes = policyBytes({ ...PINNED, mode });
    for (const { frame } of cases) {
      expect(isDropSymbol(symbolOf(judge(direction, bytes, frame, { nowNs: NOW })))).toBe(true);
    }
  });

  test.each([0, 1, 2, 4, 0x03000000, 0xffffffff])('ABI %i is not ours: nothing passes', (abi) => {
    const bytes = policyBytes({ ...PINNED, abi });
    for (const { frame } of cases) {
      expect(symbolOf(judge(direction, bytes, frame, { nowNs: NOW }))).toBe('POLICY_ABI');
    }
  });

  test('a policy of zeros lets nothing through', () => {
    for (const { frame } of cases) {
      expect(
        isDropSymbol(symbolOf(judge(direction, new Uint8Array(POLICY_BYTES), frame, { nowNs: NOW }))),
      ).toBe(true);
    }
  });
});

describe('the order of the decision', () => {
  const from = (frame: Uint8Array, policy = policyOf('plain', CAST, NOW)): string =>
    symbolOf(judge('from-vm', policy, frame, { nowNs: NOW }));
  const elsewhere = { destination: STRANGER.address };
  const wrongSource = { source: OTHER_VM.address };

  test('what is wrong first is what is reported', () => {
    const foreignAndQuarantined = policyBytes({ ...PINNED, abi: 4, quarantined: true });
    expect(from(fromGuest(CAST), foreignAndQuarantined)).toBe('POLICY_ABI');
    expect(from(new Uint8Array(5), policyOf('quarantined', CAST, NOW))).toBe('QUARANTINED');
    expect(from(fromGuest(CAST, { ethernet: { source: OTHER_VM.mac, destination: STRANGER.mac } }))).toBe(
      'SOURCE_MAC',
    );
    expect(from(fromGuest(CAST, { ethernet: { destination: STRANGER.mac, etherType: 0x1234 } }))).toBe(
      'DESTINATION_MAC',
    );
    expect(from(tagged(fromGuest(CAST, { ip: { version: 5 } }), { vlan: 1 }))).toBe('VLAN');
    expect(from(fromGuest(CAST, { ip: { version: 6, headerWords: 2 } }))).toBe('IP_VERSION');
    expect(from(fromGuest(CAST, { ip: { headerWords: 4, totalLength: 0 } }))).toBe('IP_HEADER_LENGTH');
    expect(from(fromGuest(CAST, { ip: { options: new Uint8Array(4), totalLength: 0 } }))).toBe('IP_OPTIONS');
    expect(from(fromGuest(CAST, { ip: { totalLength: 9, moreFragments: true } }))).toBe('IP_TOTAL_LENGTH');
    expect(from(fromGuest(CAST, { ip: { moreFragments: true, checksum: 1 } }))).toBe('IP_FRAGMENT');
    expect(from(fromGuest(CAST, { ip: { checksum: 1, ttl: 0 } }))).toBe('IP_CHECKSUM');
    expect(from(fromGuest(CAST, { ip: { ttl: 0, ...wrongSource } }))).toBe('IP_TTL');
    expect(from(fromGuest(CAST, { ip: { ...wrongSource, protocol: 6 } }))).toBe('SOURCE_ADDRESS');
    expect(from(fromGuest(CAST, { ip: { ...elsewhere, protocol: 6 } }))).toBe('PROTOCOL');
    expect(from(fromGuest(CAST, { ip: elsewhere, udp: { length: 3 } }))).toBe('UDP_LENGTH');
    const strict = policyOf('strict', CAST, NOW);
    expect(from(fromGuest(CAST, { ip: elsewhere, udp: { payload: new Uint8Array() } }), strict)).toBe(
      'DESTINATION_ADDRESS',
    );
  });
});

describe('ARP towards the VM', () => {
  const judged = (frame: Uint8Array, ownAnswer: boolean): string =>
    symbolOf(judge('to-vm', policyOf('plain', CAST, NOW), frame, { nowNs: NOW, ownAnswer }));

  test("the program's own answer passes, the same bytes from anyone else do not", () => {
    expect(judged(arpAnswer(CAST), true)).toBe('ARP_ANSWERED');
    expect(judged(arpAnswer(CAST), false)).toBe('ARP_FROM_HOST');
  });

  test.each([
    ['another sender MAC', arpAnswer(CAST, { senderMac: STRANGER.mac })],
    ['another sender address', arpAnswer(CAST, { senderAddress: STRANGER.address })],
    ['another target MAC', arpAnswer(CAST, { targetMac: OTHER_VM.mac })],
    ['another target address', arpAnswer(CAST, { targetAddress: OTHER_VM.address })],
    ['a request', arpAnswer(CAST, { operation: 1 })],
    ['another hardware type', arpAnswer(CAST, { hardwareType: 6 })],
    ['a request of the guest itself', arpRequest(CAST)],
    ['cut short', arpAnswer(CAST).subarray(0, 41)],
  ])('the mark does not carry anything but the canonical answer: %s', (_, frame) => {
    expect(isDropSymbol(judged(frame, true))).toBe(true);
  });

  test('the mark of an answer opens nothing for other frames', () => {
    const stranger = toGuest(CAST, { ip: { source: STRANGER.address } });
    expect(judged(stranger, true)).toBe('SOURCE_ADDRESS');
  });
});
