import type { Check } from '../../kube/health/health-server.ts';
import type { PassResult } from '../attachment/pass.ts';

type Checks = Readonly<Record<string, Check>>;

/** Three passes that nobody asked for have not come, and a pass that is slow is let be slow. */
const MISSED_PASSES = 3;
const SLOWEST_PASS_MS = 10_000;

/** What is asked of a pass, and no more: what it saw of each VM takes kilobytes. */
interface Seen {
  readonly complete: boolean;
  readonly guarded: boolean;
}

/** Whether an agent lives, and whether it does what it is there for. */
export class AgentHealth {
  /** A restart helps. */
  readonly live: Checks;
  /** What this host is to enforce is known, and is in force as far as it can be. */
  readonly ready: Checks;
  #last: Seen | 'none' | 'failed' = 'none';

  /**
   * `idleMs`: since a pass ended, or since the agent began. `resyncMs`: a pass at least this often. `bpffsFault`: why nothing can be
   * pinned now, or null.
   */
  constructor(idleMs: () => number, resyncMs: number, bpffsFault: () => string | null) {
    const longestMs = MISSED_PASSES * resyncMs + SLOWEST_PASS_MS;
    this.live = {
      passes: () => (idleMs() < longestMs ? null : `none has ended for ${Math.round(idleMs() / 1000)} s`),
    };
    this.ready = {
      pass: () => (typeof this.#last === 'string' ? UNREADY[this.#last] : null),
      wishes: () => (this.#of(({ complete }) => complete) ? null : 'are not all known'),
      guard: () => (this.#of(({ guarded }) => guarded) ? null : 'is not known to be in force'),
      bpffs: bpffsFault,
    };
  }

  passed({ wanted: { complete }, guarded }: Pick<PassResult, 'wanted' | 'guarded'>): void {
    this.#last = { complete, guarded };
  }

  failed(): void {
    this.#last = 'failed';
  }

  #of(holds: (last: Seen) => boolean): boolean {
    return typeof this.#last !== 'string' && holds(this.#last);
  }
}

const UNREADY = { none: 'the first one has not ended', failed: 'the last one failed' };

/** What is wrong first, or null. */
export function ailmentOf(checks: Checks): string | null {
  for (const [name, check] of Object.entries(checks)) {
    const wrong = check();
    if (wrong !== null) return `${name}: ${wrong}`;
  }
  return null;
}
