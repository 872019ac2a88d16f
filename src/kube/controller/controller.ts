import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Metrics, ReconcileResult } from '../../lib/metrics.ts';
import { isConflict } from '../api-error.ts';
import { NotLeading } from '../fenced-client.ts';
import { type AddOptions, type WorkQueue, workQueue } from '../queue/work-queue.ts';

/**
 * What a reconciliation that did not fail asks for: nothing, or to come again after a time (0: soon, rate-limited).
 * `unfinished`: it comes again for the rest of the same work; a key that was urgent still is.
 */
// eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- so that a reconciler may end without a return
export type Outcome = { readonly requeueAfterMs?: number; readonly unfinished?: boolean } | void;

export interface ControllerOptions {
  /** Label of the metrics and of the queue. */
  readonly name: string;
  /** Default: one of its own, with the default rate limit. */
  readonly queue?: WorkQueue | undefined;
  /** Keys that are reconciled at the same time, 1 or more. */
  readonly workers: number;
  /**
   * Whose key it is, always the same. Keys of different lanes take turns, and while one lane alone is busy a worker, if there are more than
   * one, is kept for the others: see `queue/lanes.ts`. Default: one lane, which has all workers. Not with a `queue` of the caller's.
   */
  readonly laneOf?: ((key: string) => string) | undefined;
  /** Brings what the key names to where it should be. Throws to be tried again, later each time. */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<Outcome>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: Metrics | undefined;
}

export interface Controller {
  enqueue(key: string, options?: AddOptions): void;
  enqueueAfter(key: string, delayMs: number): void;
  /**
   * Works until the signal aborts, then takes no more keys and ends after the reconciliations under way, whose signal it
   * is too. Keys that were not worked on stay queued: it may run again, as after lost leadership.
   */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * How a reconciliation ended. Nobody's failure are `interrupted`, by the end of the run or of leadership, and `overtaken`:
 * somebody else wrote first, and what they wrote is about to be seen.
 */
type Ending =
  | { readonly kind: 'success' }
  | { readonly kind: 'again'; readonly afterMs: number; readonly unfinished: boolean }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'overtaken'; readonly error: unknown }
  | { readonly kind: 'failed'; readonly error: unknown };

export function controller(options: ControllerOptions): Controller {
  const { name, workers, laneOf, reconcile, clock, metrics } = options;
  if (!Number.isInteger(workers) || workers < 1) {
    throw new RangeError(`workers of controller ${name} is ${workers}; give a whole number of 1 or more`);
  }
  const log = options.log.child({ controller: name });
  const lanes = laneOf && { laneOf, most: Math.max(workers - 1, 1) };
  const queue = options.queue ?? workQueue({ name, clock, metrics, lanes });
  const counts = metrics?.controller(name, workers);

  async function attempt(key: string, signal: AbortSignal): Promise<Ending> {
    try {
      const outcome = await reconcile(key, signal);
      const afterMs = outcome?.requeueAfterMs;
      if (afterMs === undefined) return { kind: 'success' };
      return { kind: 'again', afterMs, unfinished: outcome?.unfinished === true };
    } catch (error) {
      if (signal.aborted || error instanceof NotLeading) return { kind: 'interrupted' };
      return { kind: isConflict(error) ? 'overtaken' : 'failed', error };
    }
  }

  async function work(signal: AbortSignal): Promise<void> {
    for (let key = await queue.get(signal); key !== undefined; key = await queue.get(signal)) {
      counts?.started();
      const startMs = clock.monotonicMs();
      const ending = await attempt(key, signal);
      const result = settle(queue, log, key, ending);
      counts?.ended(result, (clock.monotonicMs() - startMs) / 1000);
    }
  }

  return {
    enqueue: (key, added) => queue.add(key, added),
    enqueueAfter: (key, delayMs) => queue.addAfter(key, delayMs),
    run: async (signal) => {
      await Promise.all(Array.from({ length: workers }, () => work(signal)));
    },
  };
}

/** Somebody else may write first a few times in a row; who waits this long for it is stuck, and people should know. */
const STUCK_MS = 10_000;

/** Each ending leads to one thing that is done with the key, and to `done`. */
function settle(queue: WorkQueue, log: Logger, key: string, ending: Ending): ReconcileResult {
  try {
    switch (ending.kind) {
      case 'success':
        queue.forget(key);
        return 'success';
      case 'again':
        if (!(ending.afterMs > 0)) {
          queue.addRateLimited(key);
          return 'requeue';
        }
        queue.forget(key);
        if (ending.unfinished) queue.addUnfinished(key, ending.afterMs);
        else queue.addAfter(key, ending.afterMs);
        return 'requeue_after';
      case 'interrupted':
        queue.addOvertaken(key);
        return 'requeue';
      case 'overtaken': {
        const delayMs = queue.addOvertaken(key);
        const fields = { key, err: ending.error, delayMs: Math.round(delayMs) };
        log[delayMs > STUCK_MS ? 'warn' : 'debug'](fields, 'reconcile met a newer object, will be repeated');
        return 'requeue';
      }
      case 'failed':
        queue.addRateLimited(key);
        log.error({ key, err: ending.error }, 'reconcile failed, will be repeated');
        return 'error';
    }
  } finally {
    queue.done(key);
  }
}
