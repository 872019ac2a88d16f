import type { HostProblem } from './pass.ts';
import type { AttachmentResult } from './rounds.ts';

const FIRST_MS = 50;
const LONGEST_MS = 5000;

interface Look {
  readonly count: number;
  readonly dueNs: bigint;
}

/**
 * What is to be looked at again because nobody tells when it has changed: soon at first, then ever later, as long as it is so. Time is
 * passed in (CLOCK_MONOTONIC).
 */
export class LookAgain {
  #looks: ReadonlyMap<string, Look> = new Map();

  /** What a pass saw in the end; `problems`: those that it met itself; `unfinished`: what somebody's lock kept it from. */
  passed(
    results: readonly AttachmentResult[],
    problems: readonly HostProblem[],
    unfinished: readonly string[],
    nowNs: bigint,
  ): void {
    const waiting = [
      ...results.filter((result) => isOnlyClaimed(result) || isInCompany(result)).map(({ tap }) => tap),
      // Out of memory, a table that somebody holds: what was not done is done once it can be.
      ...problems.map(({ on, error: { code } }) => `${code} ${on}`),
      ...unfinished,
    ];
    this.#looks = new Map(waiting.map((what) => [what, following(this.#looks.get(what), nowNs)]));
  }

  /** When the first of them is due; null: none is. */
  nextNs(): bigint | null {
    let next: bigint | null = null;
    for (const { dueNs } of this.#looks.values()) if (next === null || dueNs < next) next = dueNs;
    return next;
  }
}

/**
 * A tap that nobody holds while the process that claimed it lives. A VM that ends lets go of its tap first, which the kernel tells of,
 * and is gone a moment later (do_exit closes files before anybody is told of the end), which nobody tells of; and a VM may take its time
 * to start. Links that somebody else made have no claim of ours.
 */
function isOnlyClaimed({ found, observed }: AttachmentResult): boolean {
  const engine = observed?.engine;
  // Nobody tells when a VM comes to its engine, or when one that is silent can be asked again.
  if (engine !== undefined) return engine.state !== 'answers' || engine.guests.length === 0;
  return found === undefined && observed !== null && observed.claimed && observed.link?.carrier !== true;
}

/** Nobody tells when a program leaves a hook; one of ours that nothing pins may be about to. */
function isInCompany({ observed }: AttachmentResult): boolean {
  return observed !== null && observed.beside.ours.length > 0;
}

/** Passes that come for another reason do not count. */
function following(last: Look | undefined, nowNs: bigint): Look {
  if (last !== undefined && nowNs < last.dueNs) return last;
  const count = (last?.count ?? 0) + 1;
  const delayMs = Math.min(FIRST_MS * 2 ** (count - 1), LONGEST_MS);
  return { count, dueNs: nowNs + BigInt(delayMs) * 1_000_000n };
}
