import { ArpPacket } from '../packet/arp-packet.ts';
import { EtherType } from '../packet/ether-type.ts';
import { EthernetFrame } from '../packet/ethernet-frame.ts';
import { Ipv4Header } from '../packet/ipv4-header.ts';
import { Ipv4Packet } from '../packet/ipv4-packet.ts';
import { failed } from '../packet/parse-failure.ts';
import { ARP_FROM_VM_RULES, ARP_TO_VM_RULES } from './arp-rules.ts';
import type { Case } from './case.ts';
import { checksumStaysInPlace } from './checksum-place.ts';
import { HEADER_RULES, headerFailure, isGuest, PACKET_RULES } from './ipv4-rules.ts';
import { LINK_RULES } from './link-rules.ts';
import { firstBroken } from './rule.ts';
import { superFrameIsSound } from './super-frame-soundness.ts';
import type { ReasonName } from './verdict.ts';

/**
 * The IPv4 packet in a frame between the guest and its gateway, one sound packet; or else the reason that decides:
 * `ArpAnswered`, or what is wrong with the frame.
 */
export function readPacket(its: Case, bytes: Uint8Array): Ipv4Packet | ReasonName {
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
      return readIpv4(its, frame.payload);
    default:
      return 'EtherType';
  }
}

/**
 * Whether the packet is the guest's own, or for it, nothing will be written into it but its own checksum, and it becomes
 * nothing but packets like it. With
 * `readPacket` these are the identity rules: they hold for every frame in every mode, audited or not, whoever else it is
 * for. The rules that name a reason look at the same things in their turn.
 */
export function isOwn(its: Case, packet: Ipv4Packet): boolean {
  const { source, destination } = packet.header;
  return (
    isGuest(its.direction === 'from-vm' ? source : destination, its) &&
    checksumStaysInPlace(its, packet) &&
    superFrameIsSound(its, packet)
  );
}

function judgeArpFromVm({ policy, circumstances }: Case, frame: EthernetFrame): ReasonName {
  const arp = ArpPacket.parse(frame.payload);
  if (failed(arp)) return 'ArpMalformed';
  return firstBroken(ARP_FROM_VM_RULES, { arp, policy, circumstances }) ?? 'ArpAnswered';
}

function judgeArpToVm({ policy, circumstances }: Case, bytes: Uint8Array): ReasonName {
  return firstBroken(ARP_TO_VM_RULES, { bytes, policy, circumstances }) ?? 'ArpAnswered';
}

function readIpv4(its: Case, bytes: Uint8Array): Ipv4Packet | ReasonName {
  const header = Ipv4Header.parse(bytes);
  if (failed(header)) return headerFailure(header.reason);
  const inHeader = firstBroken(HEADER_RULES, header);
  if (inHeader !== null) return inHeader;
  const packet = Ipv4Packet.behind(header, bytes);
  if (failed(packet)) return 'IpTotalLength';
  return firstBroken(PACKET_RULES, { its, packet }) ?? packet;
}
