import type { PolicyKind } from '../cast.ts';

/** One frame and what must become of it. */
export interface FrameCase {
  /** Unique within its table; starts with what is wrong. */
  name: string;
  /** Acceptance rows it belongs to. */
  ids?: readonly string[];
  /** Default `plain`. */
  policy?: PolicyKind;
  frame: Uint8Array;
  /** The one expected reason; several only where the specification says "dropped" and not why. */
  reason: string | readonly string[];
  /** A segmentation super-frame: UDP payload bytes a segment. */
  segmentBytes?: number;
  /** Where the guest's virtio header says that the host is to complete a checksum: bytes from the frame's start, and from there. */
  checksum?: { start: number; offset: number };
}

/** The expected reasons as a list. */
export function reasonsOf({ reason }: FrameCase): readonly string[] {
  return typeof reason === 'string' ? [reason] : reason;
}
