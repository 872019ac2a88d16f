import { type Clock, reasonOf } from './clock.ts';

/** Gives `task` a signal that aborts when `signal` does and after `limitMs`; ends with the task, not begun if aborted. */
export async function within<T>(
  clock: Clock,
  limitMs: number,
  signal: AbortSignal,
  task: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const limit = new AbortController();
  const aborted = () => limit.abort(reasonOf(signal));
  signal.addEventListener('abort', aborted, { once: true });
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

/** The same, but ends as soon as the signal aborts, whether or not the task has noticed. */
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
        limit.addEventListener('abort', () => reject(reasonOf(limit)), { once: true });
        task(limit).then(resolve, reject);
      }),
  );
}
