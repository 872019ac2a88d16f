import type { KubeObject } from '../../kube/resource.ts';

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
  readonly end: AbortController;
}

/** Passes under way, and what each of them goes by. */
export class Passes {
  readonly #underWay = new Map<string, Pass>();

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
    this.#underWay.set(key, { object, end });
    try {
      return await pass({ closing, opening: end.signal });
    } finally {
      this.#underWay.delete(key);
      closing.removeEventListener('abort', ended);
    }
  }

  /** Ends what opens if people changed the object since. Our own writes and those of a status do not move its generation. */
  hasten(key: string, now: KubeObject | undefined): void {
    const pass = this.#underWay.get(key);
    if (pass === undefined) return;
    const { uid, generation } = pass.object?.metadata ?? {};
    if (now?.metadata.uid === uid && now?.metadata.generation === generation) return;
    pass.end.abort(new Hastened(`${key} was changed meanwhile`));
  }
}
