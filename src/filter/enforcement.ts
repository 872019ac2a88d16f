import { chargeOf } from './charge.ts';
import type { FilterMemory } from './filter-memory.ts';
import type { FilterPolicy, PolicyInForce } from './filter-policy.ts';
import type { Circumstances, Direction, FilteringStrategy } from './filtering-strategy.ts';
import { isOwn, readPacket } from './own-packet.ts';
import { tunnelMessage } from './tunnel-message.ts';
import { auditedPass, isViolationOf, verdictOf, type Verdict } from './verdict.ts';

/**
 * What every mode has: limits on what the VM sends, Audit, the count of violations, and an eye on the tunnel. In this order,
 * for a frame that is refused by a limit is audited too, and one that is audited is a violation all the same.
 */
export class Enforcement implements FilteringStrategy {
  readonly #mode: FilteringStrategy;
  readonly #memory: Pick<FilterMemory, 'limiter' | 'violations' | 'tunnel'>;

  constructor(mode: FilteringStrategy, memory: Pick<FilterMemory, 'limiter' | 'violations' | 'tunnel'>) {
    this.#mode = mode;
    this.#memory = memory;
  }

  judge(
    direction: Direction,
    policy: PolicyInForce,
    frame: Uint8Array,
    circumstances: Circumstances,
  ): Verdict {
    const judged = this.#mode.judge(direction, policy, frame, circumstances);
    if (typeof policy === 'string' || policy.quarantined) return judged;

    const asked: Asked = { direction, policy, frame, circumstances };
    const verdict = audited(this.#withinLimits(judged, asked), asked);
    this.#count(verdict, asked);
    if (verdict.action === 'allow' && !verdict.audited) this.#watch(asked);
    return verdict;
  }

  /** What the VM sends and would otherwise go out. Its question for the gateway goes nowhere. */
  #withinLimits(judged: Verdict, { direction, policy, frame, circumstances }: Asked): Verdict {
    if (direction === 'to-vm' || judged.action !== 'allow') return judged;
    const { limiter } = this.#memory;
    const charge = chargeOf(frame, circumstances.superFrame);
    const refused = limiter.admit(policy.limits, circumstances.nowNs, charge);
    return refused === null ? judged : verdictOf(refused);
  }

  #count({ action, audited, reason }: Verdict, { direction, policy, circumstances }: Asked): void {
    const dropped = action === 'drop' || audited;
    if (direction === 'to-vm' || !dropped || !isViolationOf(reason)) return;
    if (policy.violation.threshold > 0) this.#memory.violations.note(policy, circumstances.nowNs);
  }

  #watch({ frame, ...its }: Asked): void {
    const message = tunnelMessage(its, frame);
    if (message !== null) this.#memory.tunnel.note(its.direction, message, its.circumstances.nowNs);
  }
}

interface Asked {
  readonly direction: Direction;
  readonly policy: FilterPolicy;
  readonly frame: Uint8Array;
  readonly circumstances: Circumstances;
}

/** A policy that only audits overlooks whom the guest talks to and how much, but never who it is. */
function audited(verdict: Verdict, asked: Asked): Verdict {
  if (!asked.policy.audit || verdict.action !== 'drop') return verdict;
  const packet = readPacket(asked, asked.frame);
  return typeof packet !== 'string' && isOwn(asked, packet) ? auditedPass(verdict) : verdict;
}
