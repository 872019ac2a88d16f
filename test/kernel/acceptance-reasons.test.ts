import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { testRun, type Direction } from '../../src/native/filter-engine.ts';
import { arpAnswer, CAST, fromGuest, STRANGER, toGuest } from '../support/frames/cast.ts';
import { fromVmCases, reasonsOf, toVmCases, type FrameCase } from '../support/frames/cases/index.ts';
import { EtherType } from '../support/frames/ethernet.ts';
import { dropSymbols, isDropSymbol, symbolOf } from '../support/frames/reasons.ts';
import { wireGuardShape } from '../support/frames/wireguard.ts';
import { PacketSocket } from '../support/stage/packet-socket.ts';
import { moved, tally } from '../support/stage/tally.ts';
import { TapStage } from '../support/stage/tap-stage.ts';
import { Witness } from '../support/stage/witness.ts';
import { describe } from '../support/stage/needs.ts';

// The case tables of test/support/frames, each frame twice: through BPF_PROG_TEST_RUN, and for real. From the VM it is
// written to the tap as QEMU would; to the VM it is sent by a packet socket on the host's side of the tap.

const TC_ACT_UNSPEC = -1;
const TC_ACT_SHOT = 2;
const TC_ACT_REDIRECT = 7;
const MARK_ALLOWED = 0x00100000;
const MARK_ANSWER = 0x00200000;

/** Newer kernels refuse to test-run a frame without payload, and IP frames without the whole fixed header. */
function testable({ frame, checksum }: FrameCase): boolean {
  const etherType = ((frame[12] ?? 0) << 8) | (frame[13] ?? 0);
  const least = etherType === EtherType.ipv4 ? 20 : etherType === EtherType.ipv6 ? 40 : 1;
  return checksum === undefined && frame.length >= 14 + least;
}

/** For the same reason, and because a test run's buffer never waits for a checksum: these by real frames only. */
const NOT_IN_A_TEST_RUN = ['FRAME_TOO_SHORT', 'CHECKSUM_OFFLOAD'];

const byPolicy = (cases: FrameCase[]): FrameCase[] =>
  cases.sort((a, b) => (a.policy ?? 'plain').localeCompare(b.policy ?? 'plain'));
const fromVm = byPolicy(fromVmCases(CAST));
const toVm = byPolicy(toVmCases(CAST));

/** Of a policy with a limit, and of more than one frame: test/kernel/filter-catalogue has them, both ways. */
const OF_LIMITS = ['PACKET_TOO_BIG', 'BIT_RATE', 'PACKET_RATE'];
const expectedSymbols = dropSymbols.filter((symbol) => !OF_LIMITS.includes(symbol));

/** Drop reasons that were seen, by way; compared with reason.h at the end. */
const reached = { 'test-run': new Set<string>(), tap: new Set<string>() };

let stage: TapStage;
beforeAll(async () => {
  stage = await TapStage.open('reasons');
}, 30_000);
afterAll(async () => {
  await stage?.close();
}, 30_000);

function title({ ids = [], name }: FrameCase, ...more: string[]): string {
  return [...more, ...ids].map((id) => `[${id}] `).join('') + name;
}

const bypassRows = ({ ids = [], ...rest }: FrameCase): FrameCase => ({
  ...rest,
  ids: ids.filter((id) => id.startsWith('SB-')),
});

for (const [direction, cases] of [
  ['from-vm', fromVm],
  ['to-vm', toVm],
] as [Direction, FrameCase[]][]) {
  describe(`BPF_PROG_TEST_RUN ${direction}`, () => {
    for (const item of cases) {
      if (!testable(item)) continue;
      test(title({ ...item, ids: [] }, 'EB-2'), () => {
        stage.use(item.policy ?? 'plain');
        const meta = item.segmentBytes === undefined ? {} : { gsoSize: item.segmentBytes };
        const before = tally(stage.pinDir);
        const result = testRun(stage.pinDir, direction, item.frame, meta);
        const symbol = symbolOf(result.reason);
        expect(reasonsOf(item)).toContain(symbol);
        expect(moved(before, tally(stage.pinDir), direction)).toEqual({ [symbol]: 1 });
        if (isDropSymbol(symbol)) {
          reached['test-run'].add(symbol);
          expect(result.action | 0).toBe(TC_ACT_SHOT);
          expect(result.mark & (MARK_ALLOWED | MARK_ANSWER)).toBe(0);
        } else if (symbol === 'ARP_ANSWERED') {
          expect(result.action | 0).toBe(TC_ACT_REDIRECT);
          expect(result.mark & MARK_ALLOWED).toBe(0);
          expect(Buffer.from(result.frame.subarray(0, 42))).toEqual(Buffer.from(arpAnswer(CAST)));
        } else {
          expect(result.action | 0).toBe(TC_ACT_UNSPEC);
          expect(Buffer.from(result.frame)).toEqual(Buffer.from(item.frame));
          if (direction === 'from-vm') expect(result.mark & MARK_ALLOWED).toBe(MARK_ALLOWED);
        }
      });
    }
  });
}

describe('real frames from the VM', () => {
  let witness: Witness;
  const expectedAtFarEnd: Uint8Array[] = [];
  beforeAll(async () => {
    witness = await Witness.place(stage.host, TapStage.tap);
    stage.card.received();
  });
  afterAll(async () => {
    await witness?.remove();
  });

  for (const item of fromVm.map(bypassRows)) {
    test(title(item, 'EB-2'), () => {
      stage.use(item.policy ?? 'plain');
      const before = tally(stage.pinDir);
      const { segmentBytes, checksum } = item;
      stage.card.send(item.frame, {
        ...(segmentBytes !== undefined && { segmentBytes }),
        ...(checksum !== undefined && { checksum }),
      });
      const changes = moved(before, tally(stage.pinDir), 'from-vm');
      const [symbol = 'nothing counted'] = Object.keys(changes);
      if (!isDropSymbol(symbol) && symbol !== 'ARP_ANSWERED') expectedAtFarEnd.push(item.frame);
      expect(reasonsOf(item)).toContain(symbol);
      expect(changes).toEqual({ [symbol]: 1 });
      if (isDropSymbol(symbol)) reached.tap.add(symbol);
      const answers = stage.card.received().map((frame) => Buffer.from(frame.subarray(0, 42)));
      expect(answers).toEqual(symbol === 'ARP_ANSWERED' ? [Buffer.from(arpAnswer(CAST))] : []);
    });
  }

  test('[EB-2] [SB-1] [SB-2] [SB-3] [SB-4] [SB-6] [SB-7] [SB-8] only what is allowed got past the filter', async () => {
    const allowed = fromVm.filter((item) => reasonsOf(item).some((symbol) => symbol.startsWith('ALLOWED')));
    expect(await witness.passed()).toBe(allowed.length);
    await stage.farEnd.drain();
    expect(stage.farEnd.frames().map(transport)).toEqual(allowed.map(({ frame }) => transport(frame)));
    expect(expectedAtFarEnd.length).toBe(allowed.length);
  });
});

/** Addresses and everything behind the IPv4 header, which a router leaves alone; without Ethernet padding. */
function transport(frame: Uint8Array): string {
  const length = ((frame[16] ?? 0) << 8) | (frame[17] ?? 0);
  return Buffer.from(frame.subarray(26, 14 + length)).toString('hex');
}

describe('real frames to the VM', () => {
  let sender: PacketSocket;
  const arrived: string[] = [];
  beforeAll(async () => {
    sender = await PacketSocket.open(stage.host, TapStage.tap);
    stage.card.received();
  });
  afterAll(() => {
    sender?.close();
  });

  for (const item of toVm.map(bypassRows)) {
    test(title(item, 'EB-2'), async () => {
      stage.use(item.policy ?? 'plain');
      const before = tally(stage.pinDir);
      await sender.send(item.frame, item.segmentBytes);
      const changes = moved(before, tally(stage.pinDir), 'to-vm');
      const [symbol = 'nothing counted'] = Object.keys(changes);
      expect(reasonsOf(item)).toContain(symbol);
      expect(changes).toEqual({ [symbol]: 1 });
      const received = stage.card.received().map((frame) => Buffer.from(frame));
      if (isDropSymbol(symbol)) reached.tap.add(symbol);
      expect(received).toEqual(isDropSymbol(symbol) ? [] : [Buffer.from(item.frame)]);
      arrived.push(...received.map((frame) => frame.toString('hex')));
    });
  }

  test('[EB-2] [SB-10] the guest was given what is allowed and nothing else', () => {
    const allowed = toVm.filter((item) => reasonsOf(item).some((symbol) => symbol.startsWith('ALLOWED')));
    expect(arrived).toEqual(allowed.map(({ frame }) => Buffer.from(frame).toString('hex')));
  });
});

describe('what a guest shapes with its virtio header', () => {
  beforeAll(() => {
    stage.use('plain');
  });
  const judged = (
    frame: Uint8Array,
    options: Parameters<typeof stage.card.send>[1],
  ): Record<string, number> => {
    const before = tally(stage.pinDir);
    stage.card.send(frame, options);
    return moved(before, tally(stage.pinDir), 'from-vm');
  };
  const jumbo = (destination: string): Uint8Array =>
    fromGuest(CAST, { ip: { destination }, udp: { payload: wireGuardShape(4, 8960) } });

  test.each([14, 15, 34, 42, 64])(
    '[SB-5] jumbo frames whose linear part is %i bytes are judged right',
    (headerBytes) => {
      expect(judged(jumbo(CAST.endpoint.address), { headerBytes })).toEqual({ ALLOWED: 1 });
      expect(judged(jumbo(STRANGER.address), { headerBytes })).toEqual({ DESTINATION_ADDRESS: 1 });
      expect(judged(arpLike(), { headerBytes })).toEqual({ SOURCE_MAC: 1 });
    },
  );

  const arpLike = (): Uint8Array => {
    const frame = jumbo(CAST.endpoint.address);
    frame.set(toGuest(CAST).subarray(6, 12), 6); // the gateway's MAC as source
    return frame;
  };
});

describe('completeness', () => {
  test('[EB-2] every drop reason of a single frame was reached by a test run', () => {
    const possible = expectedSymbols.filter((symbol) => !NOT_IN_A_TEST_RUN.includes(symbol));
    expect([...reached['test-run']].sort()).toEqual(possible.sort());
  });

  test('[EB-2] every drop reason of a single frame was reached by a real frame on a tap', () => {
    expect([...reached.tap].sort()).toEqual([...expectedSymbols].sort());
  });
});
