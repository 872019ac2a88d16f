import { EtherType } from '../packet/ether-type.ts';
import type { EthernetFrame } from '../packet/ethernet-frame.ts';
import type { MacAddress } from '../packet/mac-address.ts';
import type { Rule } from './rule.ts';

/** A frame between the two that share this link: the guest and its gateway. */
export interface OnLink {
  readonly frame: EthernetFrame;
  readonly sender: MacAddress;
  readonly receiver: MacAddress;
  readonly vlanInMetadata: boolean;
}

/** Broadcast is for ARP alone; any other group address is for nobody. */
export const LINK_RULES: readonly Rule<OnLink>[] = [
  ['SourceMac', ({ frame, sender }) => frame.source.equals(sender)],
  ['DestinationMac', (on) => isForReceiver(on) || on.frame.destination.isGroup],
  ['GroupMac', (on) => isForReceiver(on) || isArpBroadcast(on.frame)],
  ['Vlan', ({ frame, vlanInMetadata }) => frame.kind !== 'VLAN' && !vlanInMetadata],
];

function isForReceiver({ frame, receiver }: OnLink): boolean {
  return frame.destination.equals(receiver);
}

function isArpBroadcast(frame: EthernetFrame): boolean {
  return frame.destination.isBroadcast && frame.etherType === EtherType.ARP;
}
