import type { Clock } from '../../lib/clock.ts';

/**
 * Runs `task` with a signal that aborts with the one given, and after `limitMs` too: for a question whose answer other work
 * must not wait for.
 */
export async function within<T>(
  limitMs: number,
  clock: Clock,
  signal: AbortSignal,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const limited = new AbortController();
  const stop = () => limited.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  const late = new Error(`there was no answer within ${limitMs} ms`);
  const timer = clock.setTimer(limitMs, () => limited.abort(late));
  try {
    return await task(limited.signal);
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', stop);
  }
}
