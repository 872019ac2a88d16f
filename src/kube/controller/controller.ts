import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Metrics, ReconcileResult } from '../../lib/metrics.ts';
import { isConflict } from '../api-error.ts';
import { NotLeading } from '../fenced-client.ts';
import { type WorkQueue, workQueue } from '../queue/work-queue.ts';

/** What a reconciliation that did not fail asks for: nothing, or to come again after a time (0: soon, rate-limited). */
// eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- so that a reconciler may end without a return
export type Outcome = { readonly requeueAfterMs?: number } | void;

export interface ControllerOptions {
  /** Label of the metrics and of the queue. */
  readonly name: string;
  /** Default: one of its own, with the default rate limit. */
  readonly queue?: WorkQueue | undefined;
  /** Keys that are reconciled at the same time, 1 or more. */
  readonly workers: number;
  /** Brings what the key names to where it should be. Throws to be tried again, later each time. */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<Outcome>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: Metrics | undefined;
}

export interface Controller {
  enqueue(key: string): void;
  enqueueAfter(key: string, delayMs: number): void;
  /**
   * Works until the signal aborts, then takes no more keys and ends after the reconciliations under way, whose signal it
   * is too. Keys that were not worked on stay queued: it may run again, as after lost leadership.
   */
  run(signal: AbortSignal): Promise<void>;
}

/** How a reconciliation ended. `interrupted`: by the end of the run or of leadership, which is nobody's failure. */
type Ending =
  | { readonly kind: 'success' }
  | { readonly kind: 'again'; readonly afterMs: number }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'failed'; readonly error: unknown };

export function controller(options: ControllerOptions): Controller {
  const { name, workers, reconcile, clock, metrics } = options;
  if (!Number.isInteger(workers) || workers < 1) {
    throw new RangeError(`workers of controller ${name} is ${workers}; give a whole number of 1 or more`);
  }
  const log = options.log.child({ controller: name });
  const queue = options.queue ?? workQueue({ name, clock, metrics });
  const counts = metrics?.controller(name, workers);

  async function attempt(key: string, signal: AbortSignal): Promise<Ending> {
    try {
      const outcome = await reconcile(key, signal);
      const afterMs = outcome?.requeueAfterMs;
      return afterMs === undefined ? { kind: 'success' } : { kind: 'again', afterMs };
    } catch (error) {
      return signal.aborted || error instanceof NotLeading
        ? { kind: 'interrupted' }
        : { kind: 'failed', error };
    }
  }

  async function work(signal: AbortSignal): Promise<void> {
    for (let key = await queue.get(signal); key !== undefined; key = await queue.get(signal)) {
      counts?.started();
      const startMs = clock.monotonicMs();
      const ending = await attempt(key, signal);
      const result = settle(queue, key, ending);
      counts?.ended(result, (clock.monotonicMs() - startMs) / 1000);
      if (ending.kind === 'failed') tell(key, ending.error);
    }
  }

  function tell(key: string, err: unknown): void {
    // Somebody else wrote first: the next try reads anew, and nobody has to do anything.
    if (isConflict(err)) log.debug({ key, err }, 'reconcile met a newer object, will be repeated');
    else log.error({ key, err }, 'reconcile failed, will be repeated');
  }

  return {
    enqueue: (key) => queue.add(key),
    enqueueAfter: (key, delayMs) => queue.addAfter(key, delayMs),
    run: async (signal) => {
      await Promise.all(Array.from({ length: workers }, () => work(signal)));
    },
  };
}

/** Each ending leads to one thing that is done with the key, and to `done`. */
function settle(queue: WorkQueue, key: string, ending: Ending): ReconcileResult {
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
        queue.addAfter(key, ending.afterMs);
        return 'requeue_after';
      case 'interrupted':
        queue.addRateLimited(key);
        return 'requeue';
      case 'failed':
        queue.addRateLimited(key);
        return 'error';
    }
  } finally {
    queue.done(key);
  }
}
