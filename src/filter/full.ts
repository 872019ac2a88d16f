import { arpAnswer } from './arp-answer.ts';
import type { Case } from './case.ts';
import { readDatagram } from './datagram-rules.ts';
import type { PolicyInForce } from './filter-policy.ts';
import type { Circumstances, Direction, FilteringStrategy } from './filtering-strategy.ts';
import { readPacket } from './own-packet.ts';
import { CONVERSATIONS, judgeRemote, SHAPE_RULES, type Spoken } from './remote-rules.ts';
import { firstBroken } from './rule.ts';
import { letsPass, replyWith, verdictOf, type ReasonName, type Verdict } from './verdict.ts';

/**
 * Mode Filtered: every frame, both ways, by every rule. What passes is a UDP datagram between the pinned guest and the
 * endpoint of its policy, and the guest's question for its gateway is answered; everything else is dropped.
 *
 * Frames are read from the outside in, and the first rule that is broken names the reason. Nothing is remembered from one
 * frame to the next, and a frame that cannot be read is dropped for that.
 */
export class Full implements FilteringStrategy {
  judge(
    direction: Direction,
    policy: PolicyInForce,
    frame: Uint8Array,
    circumstances: Circumstances,
  ): Verdict {
    if (policy === 'none') return verdictOf('NoPolicy');
    if (policy === 'foreign') return verdictOf('PolicyAbi');
    if (policy.quarantined) return verdictOf('Quarantined');

    const reason = judgeFrame({ direction, policy, circumstances }, frame);
    if (reason === 'ArpAnswered' && direction === 'from-vm') return replyWith(reason, arpAnswer(policy));
    return verdictOf(reason);
  }
}

function judgeFrame(its: Case, frame: Uint8Array): ReasonName {
  const packet = readPacket(its, frame);
  if (typeof packet === 'string') return packet;
  const spoken = readDatagram(its, packet);
  if (typeof spoken === 'string') return spoken;
  return judgeConversation(spoken);
}

function judgeConversation(spoken: Spoken): ReasonName {
  const { remoteOf, guestRules } = CONVERSATIONS[spoken.its.direction];
  const reason = judgeRemote(spoken.its, remoteOf(spoken));
  return letsPass(reason) ? (firstBroken([...guestRules, ...SHAPE_RULES], spoken) ?? reason) : reason;
}
