/** Time, passed in rather than reached for, so that tests own it. */
export interface Clock {
  /** Wall clock, for timestamps that people read. May jump. */
  now(): Date;
  /** CLOCK_MONOTONIC in nanoseconds: the clock of bpf_ktime_get_ns(), so values may be handed to the filter. */
  monotonicNs(): bigint;
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicNs: () => process.hrtime.bigint(),
};
