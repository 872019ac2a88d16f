import type { FilterPolicy, PolicyInForce } from './filter-policy.ts';
import type { Circumstances, Direction, FilteringStrategy } from './filtering-strategy.ts';
import { Full } from './full.ts';
import { isOwn, readPacket } from './own-packet.ts';
import { siphash } from './siphash.ts';
import { verdictOf, type Verdict } from './verdict.ts';

/**
 * Mode Sampled: who the guest is, of every frame; whom it talks to, of those that are drawn. A violation is found after
 * some time and not prevented.
 */
export class Sampled implements FilteringStrategy {
  readonly #full = new Full();

  judge(
    direction: Direction,
    policy: PolicyInForce,
    frame: Uint8Array,
    circumstances: Circumstances,
  ): Verdict {
    const inFull = (): Verdict => this.#full.judge(direction, policy, frame, circumstances);
    if (typeof policy === 'string' || policy.quarantined) return inFull();
    if (isDrawn(policy, circumstances.nonce)) return inFull();

    const its = { direction, policy, circumstances };
    const packet = readPacket(its, frame);
    if (typeof packet === 'string' || !isOwn(its, packet)) return inFull();
    return verdictOf('AllowedUnsampled');
  }
}

const MILLION = 1_000_000n;

/**
 * True for `samplePerMillion` of a million nonces. A guest that could tell which would send what it should not in between,
 * and it sees which of its frames got through: so the draw is a keyed hash, under a secret that it never sees.
 */
export function isDrawn(policy: FilterPolicy, nonce: bigint): boolean {
  const draw = siphash(policy.secret, [nonce]) >> 32n;
  return (draw * MILLION) >> 32n < BigInt(policy.samplePerMillion);
}
