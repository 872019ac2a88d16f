import { ArpOperation, type ArpPacket } from '../packet/arp-packet.ts';
import { arpAnswer } from './arp-answer.ts';
import type { FilterPolicy } from './filter-policy.ts';
import type { Circumstances } from './filtering-strategy.ts';
import type { Rule } from './rule.ts';

/** What a guest says in ARP. */
export interface Asked {
  readonly arp: ArpPacket;
  readonly policy: FilterPolicy;
  readonly circumstances: Circumstances;
}

/** The guest may ask for its gateway, under its own name. The filter answers; the host's stack hears none of it. */
export const ARP_FROM_VM_RULES: readonly Rule<Asked>[] = [
  [
    'ArpMalformed',
    ({ arp }) => arp.operation === ArpOperation.REQUEST || arp.operation === ArpOperation.REPLY,
  ],
  ['ArpMalformed', ({ circumstances }) => !asksForOffloads(circumstances)],
  ['ArpSpoofed', ({ arp, policy }) => arp.senderMac.equals(policy.guestMac)],
  // "Has anybody this address?" (RFC 5227) pretends to be nobody.
  ['ArpNotGateway', ({ arp }) => arp.operation !== ArpOperation.REQUEST || arp.senderAddress.value !== 0],
  ['ArpSpoofed', ({ arp, policy }) => arp.senderAddress.equals(policy.guestAddress)],
  ['ArpNotGateway', ({ arp }) => arp.operation === ArpOperation.REQUEST],
  ['ArpNotGateway', ({ arp, policy }) => arp.targetAddress.equals(policy.gatewayAddress)],
];

/** ARP on its way to the guest. */
export interface Told {
  readonly bytes: Uint8Array;
  readonly policy: FilterPolicy;
  readonly circumstances: Circumstances;
}

/** Only the filter's own answer, to the byte: having been marked as that is not enough. */
export const ARP_TO_VM_RULES: readonly Rule<Told>[] = [
  ['ArpFromHost', ({ circumstances }) => circumstances.ownAnswer],
  ['ArpFromHost', ({ circumstances }) => !asksForOffloads(circumstances)],
  ['ArpFromHost', ({ bytes, policy }) => sameBytes(bytes, arpAnswer(policy))],
];

function asksForOffloads({ superFrame, pendingChecksumAt }: Circumstances): boolean {
  return superFrame !== null || pendingChecksumAt !== null;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
