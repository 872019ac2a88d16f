/** Time, passed in rather than reached for, so that tests own it. */
export interface Clock {
  /** Wall clock, for timestamps that people read. May jump. */
  now(): Date;
  /** The same in milliseconds since 1970. */
  nowMs(): number;
  /** CLOCK_MONOTONIC in nanoseconds: the clock of bpf_ktime_get_ns(), so values may be handed to the filter. */
  monotonicNs(): bigint;
  /** The same in milliseconds, with a fraction. Goes on while the process is stopped (SIGSTOP), not while the machine sleeps. */
  monotonicMs(): number;
  /** Runs `run` once, not before `delayMs` have passed. A timer alone does not keep the process alive; a sleep does. */
  setTimer(delayMs: number, run: () => void): Timer;
  /** Ends after `delayMs`; rejects with the signal's reason as soon as it aborts. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export interface Timer {
  /** Idempotent, also after the timer ran. */
  cancel(): void;
}

/** Node runs a timer of more than this at once instead of late. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => new Date(),
  nowMs: () => Date.now(),
  monotonicNs: () => process.hrtime.bigint(),
  monotonicMs: () => Number(process.hrtime.bigint()) / 1e6,
  setTimer: (delayMs, run) => startTimer(delayMs, run, false),
  sleep: (delayMs, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(reasonOf(signal));
      const aborted = () => {
        timer.cancel();
        reject(reasonOf(signal));
      };
      const timer = startTimer(
        delayMs,
        () => {
          signal?.removeEventListener('abort', aborted);
          resolve();
        },
        true,
      );
      signal?.addEventListener('abort', aborted, { once: true });
    }),
};

function startTimer(delayMs: number, run: () => void, keepsAlive: boolean): Timer {
  const dueMs = systemClock.monotonicMs() + delayMs;
  let timeout: NodeJS.Timeout;
  const arm = () => {
    const leftMs = Math.ceil(dueMs - systemClock.monotonicMs());
    timeout = setTimeout(
      // Node's timers may be a fraction of a millisecond early.
      () => (systemClock.monotonicMs() < dueMs ? arm() : run()),
      Math.min(Math.max(leftMs, 0), LONGEST_TIMEOUT_MS),
    );
    if (!keepsAlive) timeout.unref();
  };
  arm();
  return { cancel: () => clearTimeout(timeout) };
}

/** What a promise that ends with a signal rejects with. */
export function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new DOMException('This operation was aborted', 'AbortError');
}
