import { ArpPacket } from '../packet/arp-packet.ts';
import { EtherType } from '../packet/ether-type.ts';
import { EthernetFrame } from '../packet/ethernet-frame.ts';
import { IpProtocol, Ipv4Header } from '../packet/ipv4-header.ts';
import { Ipv4Packet } from '../packet/ipv4-packet.ts';
import { failed } from '../packet/parse-failure.ts';
import { UdpDatagram } from '../packet/udp-datagram.ts';
import { arpAnswer } from './arp-answer.ts';
import { ARP_FROM_VM_RULES, ARP_TO_VM_RULES } from './arp-rules.ts';
import type { FilterPolicy, PolicyInForce } from './filter-policy.ts';
import type { Circumstances, Direction, FilteringStrategy } from './filtering-strategy.ts';
import { DATAGRAM_RULES, HEADER_RULES, headerFailure, PACKET_RULES } from './ipv4-rules.ts';
import { LINK_RULES } from './link-rules.ts';
import { CONVERSATIONS, judgeRemote, type Spoken } from './remote-rules.ts';
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

/** What a frame is judged by; the same for all of its layers. */
interface Case {
  readonly direction: Direction;
  readonly policy: FilterPolicy;
  readonly circumstances: Circumstances;
}

function judgeFrame(its: Case, bytes: Uint8Array): ReasonName {
  const frame = EthernetFrame.parse(bytes);
  if (failed(frame)) return 'FrameTooShort';

  const { guestMac, gatewayMac } = its.policy;
  const [sender, receiver] = its.direction === 'from-vm' ? [guestMac, gatewayMac] : [gatewayMac, guestMac];
  const { vlanInMetadata } = its.circumstances;
  const onLink = firstBroken(LINK_RULES, { frame, sender, receiver, vlanInMetadata });
  if (onLink !== null) return onLink;

  switch (frame.etherType) {
    case EtherType.ARP:
      return its.direction === 'from-vm' ? judgeArpFromVm(its, frame) : judgeArpToVm(its, bytes);
    case EtherType.IPV6: // the endpoint is IPv4
      return 'Ipv6';
    case EtherType.IPV4:
      return judgeIpv4(its, frame.payload);
    default:
      return 'EtherType';
  }
}

function judgeArpFromVm({ policy, circumstances }: Case, frame: EthernetFrame): ReasonName {
  const arp = ArpPacket.parse(frame.payload);
  if (failed(arp)) return 'ArpMalformed';
  return firstBroken(ARP_FROM_VM_RULES, { arp, policy, circumstances }) ?? 'ArpAnswered';
}

function judgeArpToVm({ policy, circumstances }: Case, bytes: Uint8Array): ReasonName {
  return firstBroken(ARP_TO_VM_RULES, { bytes, policy, circumstances }) ?? 'ArpAnswered';
}

function judgeIpv4(its: Case, bytes: Uint8Array): ReasonName {
  const header = Ipv4Header.parse(bytes);
  if (failed(header)) return headerFailure(header.reason);
  const inHeader = firstBroken(HEADER_RULES, header);
  if (inHeader !== null) return inHeader;
  const packet = Ipv4Packet.behind(header, bytes);
  if (failed(packet)) return 'IpTotalLength';
  return firstBroken(PACKET_RULES, packet) ?? judgePacket(its, packet);
}

function judgePacket(its: Case, packet: Ipv4Packet): ReasonName {
  const { header } = packet;
  // A guest that goes by another name is told so first; who may speak to it is asked when the ports are known.
  if (its.direction === 'from-vm' && !header.source.equals(its.policy.guestAddress)) return 'SourceAddress';
  if (header.protocol !== IpProtocol.UDP) return 'Protocol';
  const carried = firstBroken(DATAGRAM_RULES, { packet, circumstances: its.circumstances });
  if (carried !== null) return carried;

  const datagram = UdpDatagram.in(packet);
  if (failed(datagram)) return 'UdpLength';
  return judgeConversation(its, { policy: its.policy, header, datagram });
}

function judgeConversation({ direction, policy, circumstances }: Case, spoken: Spoken): ReasonName {
  const { remoteOf, wrong, rules } = CONVERSATIONS[direction];
  const reason = judgeRemote(policy, remoteOf(spoken), circumstances.nowNs, wrong);
  return letsPass(reason) ? (firstBroken(rules, spoken) ?? reason) : reason;
}
