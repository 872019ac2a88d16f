import { createHash } from 'node:crypto';
import type { Condition } from '../../api/v1alpha1/conditions.ts';
import type { PlannedCondition } from '../../controller/vmnetwork/plan.ts';
import type { Clock } from '../../lib/clock.ts';
import type { DeclaredNetwork } from '../source/wanted.ts';

/** What conditions need of the past: since when they hold, and of which generation of the spec they speak. */
export class ConditionHistory {
  readonly #clock: Clock;
  readonly #since = new Map<string, { readonly status: string; readonly time: string }>();
  readonly #generations = new Map<string, { readonly hash: string; readonly generation: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Completes planned conditions; `lastTransitionTime` moves only when a status does. */
  stamp(network: string, generation: number, planned: readonly PlannedCondition[]): Condition[] {
    return planned.map((condition) => {
      const key = `${network} ${condition.type}`;
      const before = this.#since.get(key);
      const time = before?.status === condition.status ? before.time : this.#clock.now().toISOString();
      this.#since.set(key, { status: condition.status, time });
      return { ...condition, observedGeneration: generation, lastTransitionTime: time };
    });
  }

  /** The network's own generation, else a count of the different specs seen since the agent started. */
  generationOf({ plan: { key }, generation: own, spec }: DeclaredNetwork): number {
    if (own !== undefined) return own;
    const hash = createHash('sha256').update(JSON.stringify(spec)).digest('hex');
    const before = this.#generations.get(key);
    if (before?.hash === hash) return before.generation;
    const generation = (before?.generation ?? 0) + 1;
    this.#generations.set(key, { hash, generation });
    return generation;
  }

  /** Forgets networks that are no more. */
  keepOnly(networks: ReadonlySet<string>): void {
    for (const key of this.#since.keys()) if (!networks.has(key.split(' ')[0] ?? '')) this.#since.delete(key);
    for (const key of this.#generations.keys()) if (!networks.has(key)) this.#generations.delete(key);
  }
}
