import { concat, pattern } from '../bytes.ts';
import { wireGuardShape } from '../wireguard.ts';
import type { FrameCase } from './frame-case.ts';
import type { Sender } from './ipv4-damage.ts';

/** Messages one behind the other, as segmentation offload gathers them. */
const messages = (count: number, bytes: number): Uint8Array =>
  concat(...Array.from({ length: count }, () => wireGuardShape(4, bytes)));

/**
 * UDP segmentation offload, both ways alike. BPF_PROG_TEST_RUN cannot say of which kind a super-frame is; the filter then
 * takes it for one that it does not judge. So only the last of these comes out the same there.
 */
export function superFrames(send: Sender): FrameCase[] {
  const carry = (
    name: string,
    payload: Uint8Array,
    segmentBytes: number,
    reason: string,
    policy: FrameCase['policy'] = 'plain',
  ): FrameCase => ({
    name: `segmentation super-frame: ${name}`,
    ids: ['SB-5'],
    policy,
    frame: send({ udp: { payload } }),
    segmentBytes,
    reason,
  });
  return [
    carry('four datagrams', messages(4, 320), 320, 'ALLOWED'),
    carry('anything in four pieces', pattern(1280), 320, 'ALLOWED'),
    carry('one datagram, not full', messages(1, 320), 1472, 'ALLOWED'),
    carry('strict, four messages', messages(4, 320), 320, 'ALLOWED', 'strict'),
    carry(
      'strict, a short message last',
      concat(messages(3, 320), messages(1, 48)),
      320,
      'ALLOWED',
      'strict',
    ),
    carry('strict, one message cut in four', wireGuardShape(4, 1280), 320, 'NOT_WIREGUARD', 'strict'),
    carry('as many datagrams as may be', messages(128, 32), 32, 'ALLOWED'),
    carry('one datagram too many', messages(129, 32), 32, 'SUPER_FRAME'),
    unjudged(send),
  ];
}

/** Bytes behind the packet, of which the cutter would make packets too. */
export function unjudged(send: Sender): FrameCase {
  return {
    name: 'segmentation super-frame: bytes behind its packet',
    ids: ['SB-5'],
    frame: concat(send({ udp: { payload: messages(4, 320) } }), new Uint8Array(320)),
    segmentBytes: 320,
    reason: 'SUPER_FRAME',
  };
}
