const MAX_NS = (1n << 63n) - 1n;
/** The last millisecond that a Date can hold is further off than any clock; ISO 8601 needs four digits for the year. */
const MAX_ISO_SECONDS = 253_402_300_799n;
const BILLION = 1_000_000_000n;

/**
 * The clock that a capture goes by. Timestamps of several interfaces or of a clock that was set may go back; the kernel's
 * clock, by which the filter judges, never does, so neither does this one.
 */
export class CaptureClock {
  #nowNs: bigint | null = null;

  /** The time of the next frame; that of the frame before when it has none. */
  at(timeNs: bigint | null): bigint {
    if (timeNs !== null && (this.#nowNs === null || timeNs > this.#nowNs)) this.#nowNs = within(timeNs);
    return this.#nowNs ?? 0n;
  }
}

function within(timeNs: bigint): bigint {
  if (timeNs < 0n) return 0n;
  return timeNs > MAX_NS ? MAX_NS : timeNs;
}

/** ISO 8601 with nanoseconds; null for a time that cannot be written so. */
export function isoTime(timeNs: bigint | null): string | null {
  if (timeNs === null || timeNs < 0n || timeNs / BILLION > MAX_ISO_SECONDS) return null;
  const date = new Date(Number(timeNs / BILLION) * 1000).toISOString();
  return `${date.slice(0, 'yyyy-mm-ddThh:mm:ss'.length)}.${(timeNs % BILLION).toString().padStart(9, '0')}Z`;
}
