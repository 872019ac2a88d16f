import { encodePolicy, type Policy } from '../../../native/policy-abi.ts';
import { createFilterState, judgeWith } from '../../../native/verdict.ts';
import { type Engine, type EngineVerdict, type FrameToJudge, verdictOf } from './engine.ts';

/** The C filter, compiled for this machine. Needs the addon, no privilege. */
export class CEngine implements Engine {
  readonly name = 'c';
  readonly #state = createFilterState();
  #policy: Uint8Array | null = null;

  use(policy: Policy | null): void {
    this.#policy = policy === null ? null : encodePolicy(policy);
  }

  judge({ direction, bytes, nowNs, nonce, ownAnswer }: FrameToJudge): EngineVerdict {
    const meta = { nowNs, nonce, ownAnswer };
    const { reason, audited } = judgeWith(this.#state, direction, this.#policy, bytes, meta);
    return verdictOf(direction, reason, audited);
  }

  close(): void {
    this.#policy = null;
  }
}
