import type { KubeObject } from '../../kube/resource.ts';
import type { Clock, Timer } from '../../lib/clock.ts';

/** Somebody asked for something else: what the pass has not done yet is out of date. */
export class Hastened extends Error {
  override readonly name = 'Hastened';
}

/** What closes goes on until the process ends. What opens, or merely tells, ends as well when the next pass is urgent. */
export interface Signals {
  readonly closing: AbortSignal;
  readonly opening: AbortSignal;
}

interface Pass {
  readonly object: KubeObject | undefined;
  readonly sinceMs: number;
  readonly end: AbortController;
  timer: Timer | null;
}

/**
 * What is asked for meanwhile waits this long for a pass under way. Most passes end by then, and whoever changes a network in a
 * loop cannot keep all of its passes from coming to anything.
 */
const PATIENCE_MS = 1_000;

/** Passes under way, and what each of them goes by. */
export class Passes {
  readonly #underWay = new Map<string, Pass>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param object as the pass sees it; undefined if it is no more */
  async during<T>(
    key: string,
    object: KubeObject | undefined,
    closing: AbortSignal,
    pass: (signals: Signals) => Promise<T>,
  ): Promise<T> {
    const end = new AbortController();
    const ended = () => end.abort(closing.reason);
    if (closing.aborted) ended();
    closing.addEventListener('abort', ended, { once: true });
    const own: Pass = { object, sinceMs: this.#clock.monotonicMs(), end, timer: null };
    this.#underWay.set(key, own);
    try {
      return await pass({ closing, opening: end.signal });
    } finally {
      this.#underWay.delete(key);
      own.timer?.cancel();
      closing.removeEventListener('abort', ended);
    }
  }

  /** Ends what opens, once it had its time, if people changed the object since. Our own writes and those of a status do not move its generation. */
  hasten(key: string, now: KubeObject | undefined): void {
    const pass = this.#underWay.get(key);
    if (pass === undefined) return;
    const { uid, generation } = pass.object?.metadata ?? {};
    if (now?.metadata.uid === uid && now?.metadata.generation === generation) return;
    const leftMs = pass.sinceMs + PATIENCE_MS - this.#clock.monotonicMs();
    pass.timer ??= this.#clock.setTimer(leftMs, () => {
      pass.end.abort(new Hastened(`${key} was changed meanwhile`));
    });
  }
}
