/** A frame to be judged, wherever it came from. */
export interface CapturedFrame {
  /** Counted from 0. People count from 1, as tcpdump and Wireshark do. */
  readonly index: number;
  /** Nanoseconds since the epoch; null when the capture does not tell. */
  readonly timeNs: bigint | null;
  readonly bytes: Uint8Array;
  /** Length on the wire; more than `bytes.length` when the capture is cut short. */
  readonly frameBytes: number;
}

/** Longest frame we take: what libpcap captures at most, and more than an interface carries. */
export const MAX_FRAME_BYTES = 262_144;
