import { ArpOperation, ArpPacket } from '../packet/arp-packet.ts';
import { EtherType } from '../packet/ether-type.ts';
import { ByteWriter } from '../packet/network-order.ts';
import type { FilterPolicy } from './filter-policy.ts';

/** Both headers and nothing else: the answer is not padded. */
export const ARP_ANSWER_BYTES = 42;

/**
 * The frame that tells a guest its gateway's MAC: the answer to the one question it may ask, and the only ARP that ever
 * reaches it.
 */
export function arpAnswer(policy: FilterPolicy): Uint8Array {
  const packet = new ArpPacket({
    operation: ArpOperation.REPLY,
    senderMac: policy.gatewayMac,
    senderAddress: policy.gatewayAddress,
    targetMac: policy.guestMac,
    targetAddress: policy.guestAddress,
  });
  return new ByteWriter(ARP_ANSWER_BYTES)
    .raw(policy.guestMac.serialise())
    .raw(policy.gatewayMac.serialise())
    .u16(EtherType.ARP)
    .raw(packet.serialise())
    .finish();
}
