/** What an Interface Description Block says of the frames that name it. */
export interface CaptureInterface {
  readonly linkType: number;
  /** How much of a frame is kept; 0: all. */
  readonly snapBytes: number;
  readonly unitsPerSecond: bigint;
  /** Seconds to add to each timestamp. */
  readonly offsetSeconds: bigint;
}

const BLOCK_HEADER_BYTES = 8;
const FIXED_BYTES = BLOCK_HEADER_BYTES + 8;
const TRAILER_BYTES = 4;

const OPTION_END = 0;
const OPTION_TSRESOL = 9;
const OPTION_TSOFFSET = 14;

const MICROSECONDS = 1_000_000n;

/** `block`: from its type to its trailing length. Null when it is too short or an option leaves it. */
export function parseInterface(block: DataView, littleEndian: boolean): CaptureInterface | null {
  const end = block.byteLength - TRAILER_BYTES;
  if (end < FIXED_BYTES) return null;
  let unitsPerSecond = MICROSECONDS;
  let offsetSeconds = 0n;
  let at = FIXED_BYTES;
  while (at + 4 <= end) {
    const code = block.getUint16(at, littleEndian);
    const bytes = block.getUint16(at + 2, littleEndian);
    const value = at + 4;
    if (code === OPTION_END) break;
    if (value + bytes > end) return null;
    if (code === OPTION_TSRESOL && bytes >= 1) unitsPerSecond = resolution(block.getUint8(value));
    if (code === OPTION_TSOFFSET && bytes >= 8) offsetSeconds = block.getBigInt64(value, littleEndian);
    at = value + 4 * Math.ceil(bytes / 4);
  }
  return {
    linkType: block.getUint16(BLOCK_HEADER_BYTES, littleEndian),
    snapBytes: block.getUint32(BLOCK_HEADER_BYTES + 4, littleEndian),
    unitsPerSecond,
    offsetSeconds,
  };
}

/** The highest bit chooses between powers of 2 and of 10. */
function resolution(exponent: number): bigint {
  return (exponent & 0x80) === 0 ? 10n ** BigInt(exponent) : 2n ** BigInt(exponent & 0x7f);
}

/** Nanoseconds since the epoch. */
export function timeOf({ unitsPerSecond, offsetSeconds }: CaptureInterface, units: bigint): bigint {
  return (units * 1_000_000_000n) / unitsPerSecond + offsetSeconds * 1_000_000_000n;
}
