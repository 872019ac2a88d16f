import { type Clock, reasonOf } from '../../lib/clock.ts';

/** Gives `task` a signal that aborts when `signal` does and after `limitMs`, and ends with the task. */
export async function within<T>(
  clock: Clock,
  limitMs: number,
  signal: AbortSignal,
  task: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const aborted = () => limit.abort(reasonOf(signal));
  if (signal.aborted) aborted();
  else signal.addEventListener('abort', aborted, { once: true });
  const timer = clock.setTimer(limitMs, () =>
    limit.abort(new DOMException(`no answer within ${Math.round(limitMs)} ms`, 'TimeoutError')),
  );
  try {
    return await task(limit.signal);
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', aborted);
  }
}

/** The same, but ends as soon as the signal aborts, whether or not the task has noticed; not begun if it has aborted. */
export function limited<T>(
  clock: Clock,
  limitMs: number,
  signal: AbortSignal,
  task: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  return within(
    clock,
    limitMs,
    signal,
    (limit) =>
      new Promise<T>((resolve, reject) => {
        if (limit.aborted) return reject(reasonOf(limit));
        limit.addEventListener('abort', () => reject(reasonOf(limit)), { once: true });
        task(limit).then(resolve, reject);
      }),
  );
}
