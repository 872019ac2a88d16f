import { newFilterMemory } from '../../../filter/filter-memory.ts';
import type { PolicyInForce } from '../../../filter/filter-policy.ts';
import { type FilteringStrategy, PLAIN } from '../../../filter/filtering-strategy.ts';
import { strategyFor } from '../../../filter/strategy.ts';
import type { Policy } from '../../../native/policy-abi.ts';
import type { Engine, EngineVerdict, FrameToJudge } from './engine.ts';
import { filterPolicyOf } from './filter-policy.ts';

/** The readable reference in TypeScript. Needs nothing. */
export class TsEngine implements Engine {
  readonly name = 'ts';
  readonly #memory = newFilterMemory();
  #policy: PolicyInForce = 'none';
  #strategy: FilteringStrategy = strategyFor('none', this.#memory);

  use(policy: Policy | null): void {
    this.#policy = policy === null ? 'none' : filterPolicyOf(policy);
    this.#strategy = strategyFor(this.#policy, this.#memory);
  }

  judge({ direction, bytes, nowNs, nonce, ownAnswer }: FrameToJudge): EngineVerdict {
    const circumstances = { ...PLAIN, nowNs, nonce, ownAnswer };
    const { action, reasonCode, audited } = this.#strategy.judge(
      direction,
      this.#policy,
      bytes,
      circumstances,
    );
    return { verdict: action, reasonCode, audited };
  }

  close(): void {
    this.use(null);
  }
}
