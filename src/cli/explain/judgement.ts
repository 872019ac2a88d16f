import type { CapturedFrame } from './captured-frame.ts';
import { frameMacs, summariseFrame } from '../../packet/summary/frame-summary.ts';

export type Direction = 'from-vm' | 'to-vm';

/** The filter, as `src/native/verdict.ts` offers it: gives a reason number. */
export type Judge = (
  direction: Direction,
  policy: Uint8Array | null,
  frame: Uint8Array,
  meta: { readonly ownAnswer: boolean },
) => number;

/** The parts of the reason registry that a report needs. */
export interface ReasonBook {
  name(reason: number): string;
  rule(reason: number): string;
  isDrop(reason: number): boolean;
}

/** What is known about the VM: enough to tell on which side of the tap a frame was seen. */
export interface Sides {
  readonly guestMac: string;
  readonly gatewayMac: string;
}

/** One line of `vmnetctl explain`. */
export interface Judgement {
  readonly number: number;
  /** ISO 8601 with nanoseconds; null for a frame given by hand. */
  readonly time: string | null;
  readonly direction: Direction;
  readonly summary: string;
  readonly sourceMac: string | null;
  readonly destinationMac: string | null;
  readonly frameBytes: number;
  readonly capturedBytes: number;
  /** `unknown` when too little of the frame was captured to say. */
  readonly verdict: 'allow' | 'drop' | 'unknown';
  readonly reason: string;
  readonly rule: string;
}

/**
 * The filter reads no byte behind the Ethernet, IPv4 and UDP headers and the first four of a WireGuard message, only
 * lengths. So a capture that holds this much is judged as the whole frame would be.
 */
export const JUDGED_BYTES = 14 + 20 + 8 + 4;

/** A frame seen on a tap: the gateway speaks to the VM, and whoever else speaks claims to be the VM. */
export function directionOf(frame: Uint8Array, sides: Sides): Direction {
  const macs = frameMacs(frame);
  if (!macs || macs.source === sides.guestMac) return 'from-vm';
  return macs.source === sides.gatewayMac || macs.destination === sides.guestMac ? 'to-vm' : 'from-vm';
}

/** The frame at its full length, zeros for what was not captured; null when the filter would read those zeros. */
function wholeFrame(frame: CapturedFrame): Uint8Array | null {
  if (frame.bytes.length >= frame.frameBytes) return frame.bytes;
  if (frame.bytes.length < JUDGED_BYTES) return null;
  const whole = new Uint8Array(frame.frameBytes);
  whole.set(frame.bytes);
  return whole;
}

function isoTime(timeNs: bigint): string {
  const seconds = new Date(Number(timeNs / 1_000_000_000n) * 1000)
    .toISOString()
    .slice(0, 'yyyy-mm-ddThh:mm:ss'.length);
  return `${seconds}.${(timeNs % 1_000_000_000n).toString().padStart(9, '0')}Z`;
}

/** Judges one frame. Pure but for the filter passed in. */
export function judgeFrame(
  frame: CapturedFrame,
  direction: Direction,
  policy: Uint8Array | null,
  judge: Judge,
  reasons: ReasonBook,
): Judgement {
  const macs = frameMacs(frame.bytes);
  const whole = wholeFrame(frame);
  const seen = {
    number: frame.number,
    time: frame.timeNs === null ? null : isoTime(frame.timeNs),
    direction,
    summary: summariseFrame(frame.bytes, frame.frameBytes),
    sourceMac: macs?.source ?? null,
    destinationMac: macs?.destination ?? null,
    frameBytes: frame.frameBytes,
    capturedBytes: frame.bytes.length,
  };
  if (!whole) {
    const rule = `only ${frame.bytes.length} of ${frame.frameBytes} bytes were captured, ${JUDGED_BYTES} are needed`;
    return { ...seen, verdict: 'unknown', reason: 'CaptureTruncated', rule };
  }
  // The mark of the filter's own ARP answers is not in a capture: whatever equals such an answer is taken for one.
  const reason = judge(direction, policy, whole, { ownAnswer: direction === 'to-vm' });
  const verdict = reasons.isDrop(reason) ? 'drop' : 'allow';
  return { ...seen, verdict, reason: reasons.name(reason), rule: reasons.rule(reason) };
}
