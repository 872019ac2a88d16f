import { reasonName } from '../../../filter/drop-reason.ts';
import { type FilteringStrategy, PLAIN } from '../../../filter/filtering-strategy.ts';
import { Full } from '../../../filter/full.ts';
import type { PolicyInForce } from '../../../filter/filter-policy.ts';
import type { CapturedFrame } from '../capture/captured-frame.ts';
import type { Direction } from '../engine/engine.ts';

/*
 * Frames that the capture cut short (tcpdump -s). The filter reads no byte behind the Ethernet, IPv4 and UDP headers and
 * the first four of a WireGuard message, only lengths. And it reads them from the outside in: a frame with the wrong
 * source MAC is dropped for that, whatever follows.
 */

/** Ethernet, IPv4 and UDP headers, and what tells WireGuard messages apart. */
export const JUDGED_BYTES = 14 + 20 + 8 + 4;

const MACS = 12;
const ETHERTYPE = 14;
const IPV4 = 34;
const ARP_OR_UDP = 42;

/**
 * How many bytes the filter has read, in any mode, by the time that it drops for a reason. What is not named here takes
 * the most.
 */
const READ_BY: Readonly<Record<string, number>> = {
  NoPolicy: 0,
  PolicyAbi: 0,
  Quarantined: 0,
  FrameTooShort: ETHERTYPE,
  SourceMac: MACS,
  DestinationMac: MACS,
  GroupMac: ETHERTYPE,
  Vlan: ETHERTYPE,
  EtherType: ETHERTYPE,
  Ipv6: ETHERTYPE,
  ArpMalformed: ARP_OR_UDP,
  ArpSpoofed: ARP_OR_UDP,
  ArpNotGateway: ARP_OR_UDP,
  ArpFromHost: ARP_OR_UDP,
  ArpAnswered: ARP_OR_UDP,
  IpVersion: IPV4,
  IpHeaderLength: IPV4,
  IpOptions: IPV4,
  IpTotalLength: IPV4,
  IpFragment: IPV4,
  IpChecksum: IPV4,
  IpTtl: IPV4,
  PacketTooBig: IPV4,
};

const FULL: FilteringStrategy = new Full();

/**
 * The frame at its full length, zeros for what was not captured; or, when the filter would read those zeros, how many
 * bytes it needs.
 */
export function wholeFrame(
  { bytes, frameBytes }: CapturedFrame,
  direction: Direction,
  policy: PolicyInForce,
): Uint8Array | { readonly neededBytes: number } {
  if (bytes.length >= frameBytes) return bytes;
  const whole = new Uint8Array(frameBytes);
  whole.set(bytes);
  if (bytes.length >= JUDGED_BYTES) return whole;
  // Mode Filtered reads at least as much as the others do for the same frame, and remembers nothing.
  const circumstances = { ...PLAIN, nowNs: 0n, ownAnswer: direction === 'to-vm' };
  const { reasonCode } = FULL.judge(direction, policy, whole, circumstances);
  const neededBytes = Math.min(frameBytes, READ_BY[reasonName(reasonCode)] ?? JUDGED_BYTES);
  return bytes.length >= neededBytes ? whole : { neededBytes };
}
