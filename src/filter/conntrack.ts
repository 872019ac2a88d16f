import { readDatagram } from './datagram-rules.ts';
import type { PolicyInForce } from './filter-policy.ts';
import type { Circumstances, Direction, FilteringStrategy } from './filtering-strategy.ts';
import { fingerprintOf, type FlowTable } from './flow-table.ts';
import { Full } from './full.ts';
import { readPacket } from './own-packet.ts';
import { CONVERSATIONS, type Spoken } from './remote-rules.ts';
import { firstBroken } from './rule.ts';
import { verdictOf, type Verdict } from './verdict.ts';

/**
 * Mode Conntrack: the first frame of a flow, either way, by every rule; later ones as part of the flow. What is not looked
 * at again is the list of endpoints and the shape of WireGuard. The rest holds for every frame: who the guest is, and that
 * the frame is a sound datagram, for the ports are read from it.
 *
 * A flow that only grace lets pass is never remembered: it ends when the grace does.
 */
export class Conntrack implements FilteringStrategy {
  readonly #full = new Full();
  readonly #flows: FlowTable;

  constructor(flows: FlowTable) {
    this.#flows = flows;
  }

  judge(
    direction: Direction,
    policy: PolicyInForce,
    frame: Uint8Array,
    circumstances: Circumstances,
  ): Verdict {
    const inFull = (): Verdict => this.#full.judge(direction, policy, frame, circumstances);
    if (typeof policy === 'string' || policy.quarantined) return inFull();
    const spoken = datagramIn({ direction, policy, circumstances }, frame);
    if (spoken === null) return inFull();

    const { remoteOf, guestPortOf, guestRules } = CONVERSATIONS[direction];
    const flow = fingerprintOf(policy, remoteOf(spoken), guestPortOf(spoken));
    if (this.#flows.knows(flow)) return verdictOf(firstBroken(guestRules, spoken) ?? 'AllowedFlow');

    const verdict = inFull();
    if (verdict.reason === 'Allowed') this.#flows.remember(flow);
    return verdict;
  }
}

/** null: there is none, and a frame judged in full will say why. */
function datagramIn(its: Spoken['its'], frame: Uint8Array): Spoken | null {
  const packet = readPacket(its, frame);
  if (typeof packet === 'string') return null;
  const spoken = readDatagram(its, packet);
  return typeof spoken === 'string' ? null : spoken;
}
