import type { Direction, EngineName } from '../engine/engine.ts';
import type { DecidingField } from '../field/field.ts';

/** What is known of a frame before anybody judges it. */
export interface SeenFrame {
  /** From 0. */
  readonly index: number;
  /** From 1, as tcpdump and Wireshark count. */
  readonly number: number;
  /** ISO 8601 with nanoseconds; null when the capture does not tell. */
  readonly time: string | null;
  readonly direction: Direction;
  readonly summary: string;
  readonly sourceMac: string | null;
  readonly destinationMac: string | null;
  readonly frameBytes: number;
  readonly capturedBytes: number;
}

/** One line of `vmnetctl explain`: what one engine says of one frame. */
export interface Explanation extends SeenFrame, DecidingField {
  readonly engine: EngineName;
  /** `unknown`: too little was captured to say, or this engine cannot be shown such a frame. */
  readonly verdict: 'allow' | 'drop' | 'reply' | 'unknown';
  readonly reason: string;
  /** Null with `unknown`. */
  readonly reasonCode: number | null;
  /** The frame would be dropped for this reason, were the policy not on Audit. */
  readonly audited: boolean;
  /** The rule that decided, in words. */
  readonly rule: string;
}
