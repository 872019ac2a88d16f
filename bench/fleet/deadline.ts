import type { Progress } from '../benchmark.ts';

/** When a run has to be over, and what it did last when it is not. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #progress: Progress;
  readonly #interrupted = (): void => this.#controller.abort(new Error('interrupted'));
  readonly #name: string;
  readonly #remedy: string;
  #doing = 'to begin';

  /** `remedy`: what to do when it was not done in time. */
  constructor(minutes: number, progress: Progress, name: string, remedy: string) {
    this.#progress = progress;
    this.#name = name;
    this.#remedy = remedy;
    this.#timer = setTimeout(() => this.#pass(minutes), minutes * 60_000);
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, this.#interrupted);
  }

  /** Aborts when the time is up, or at Ctrl-C: either way all that was started is ended. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Tells what is being done, and remembers it. Throws when it is over. */
  doing(text: string): void {
    this.#controller.signal.throwIfAborted();
    this.tell(text);
  }

  /** The same in the midst of it, and never throws. */
  tell(text: string): void {
    this.#doing = text;
    this.#progress(text);
  }

  /** Ends the run before its time, for a reason that nobody waits for. */
  fail(reason: Error): void {
    this.#controller.abort(reason);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, this.#interrupted);
  }

  #pass(minutes: number): void {
    const late = `the ${this.#name} benchmark was not done after ${String(minutes)} minutes`;
    const text = `${late}; it was about: ${this.#doing}. Try on a machine that does nothing else, or ${this.#remedy}.`;
    this.#controller.abort(new Error(text));
  }
}

/** `work`, or the signal's reason as soon as it aborts; `work` is then left to itself. */
export function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
