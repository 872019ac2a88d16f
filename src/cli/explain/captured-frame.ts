/** A frame to be judged, wherever it came from. */
export interface CapturedFrame {
  /** Counted from 1, as tcpdump and Wireshark do. */
  readonly number: number;
  /** Nanoseconds since the epoch; null for a frame given by hand. */
  readonly timeNs: bigint | null;
  readonly bytes: Uint8Array;
  /** Length on the wire; more than `bytes.length` when the capture is cut short. */
  readonly frameBytes: number;
}

/** Longest frame we take: the largest super-frame an interface carries, and some room. */
export const MAX_FRAME_BYTES = 262_144;
