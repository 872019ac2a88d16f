import type { Ipv4Packet } from '../packet/ipv4-packet.ts';
import type { Case } from './case.ts';
import { checksumStaysInPlace } from './checksum-place.ts';
import type { PolicyInForce } from './filter-policy.ts';
import type { Circumstances, Direction, FilteringStrategy } from './filtering-strategy.ts';
import { Full } from './full.ts';
import { isGuest } from './ipv4-rules.ts';
import { readPacket } from './own-packet.ts';
import { firstBroken, type Rule } from './rule.ts';
import { superFrameIsSound } from './super-frame-soundness.ts';
import { verdictOf, type Verdict } from './verdict.ts';

/**
 * Mode Direct: who the guest is, and that it talks to nobody whom nobody may talk to, of every frame and both ways; whom it
 * talks to otherwise is not asked. That nobody talks to it who was not talked to is the NAT's to know (docs/adr/0004).
 */
export class Direct implements FilteringStrategy {
  readonly #full = new Full();

  judge(
    direction: Direction,
    policy: PolicyInForce,
    frame: Uint8Array,
    circumstances: Circumstances,
  ): Verdict {
    if (typeof policy !== 'string' && !policy.quarantined) {
      const its = { direction, policy, circumstances };
      const packet = readPacket(its, frame);
      if (typeof packet !== 'string')
        return verdictOf(firstBroken(RULES, { its, packet }) ?? 'AllowedDirect');
    }
    // No policy, the kill switch, ARP, or what is no sound packet: the same in every mode.
    return this.#full.judge(direction, policy, frame, circumstances);
  }
}

interface Sent {
  readonly its: Case;
  readonly packet: Ipv4Packet;
}

const RULES: readonly Rule<Sent>[] = [
  // From the VM its source address was looked at with the packet.
  [
    'DestinationAddress',
    ({ its, packet }) => its.direction === 'from-vm' || isGuest(packet.header.destination, its),
  ],
  ['DeniedNetwork', (sent) => !isDenied(sent)],
  ['ChecksumOffload', ({ its, packet }) => checksumStaysInPlace(its, packet)],
  ['SuperFrame', ({ its, packet }) => superFrameIsSound(its, packet)],
];

function isDenied({ its: { direction, policy }, packet: { header } }: Sent): boolean {
  const remote = (direction === 'from-vm' ? header.destination : header.source).value;
  return policy.denied.some(({ first, last }) => first.value <= remote && remote <= last.value);
}
