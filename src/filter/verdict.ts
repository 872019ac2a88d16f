import { isDrop, REASONS } from './drop-reason.ts';

/** The names of reason.h, in its order; a test holds them to the table in drop-reason.ts. */
export const REASON_NAMES = [
  'Allowed',
  'AllowedPreviousEndpoint',
  'ArpAnswered',
  'NoPolicy',
  'PolicyAbi',
  'Quarantined',
  'FrameTooShort',
  'SourceMac',
  'DestinationMac',
  'GroupMac',
  'Vlan',
  'EtherType',
  'ArpMalformed',
  'ArpSpoofed',
  'ArpNotGateway',
  'ArpFromHost',
  'Ipv6',
  'IpVersion',
  'IpHeaderLength',
  'IpOptions',
  'IpTotalLength',
  'IpFragment',
  'IpChecksum',
  'IpTtl',
  'SourceAddress',
  'Protocol',
  'UdpLength',
  'DestinationAddress',
  'DestinationPort',
  'PreviousEndpointExpired',
  'SourcePort',
  'NotWireGuard',
  'SuperFrame',
  'ChecksumOffload',
] as const;

export type ReasonName = (typeof REASON_NAMES)[number];

/** What becomes of a frame, and why. */
export interface Verdict {
  /** `reply`: the frame goes nowhere, and `answer` goes back to where it came from. */
  readonly action: 'allow' | 'drop' | 'reply';
  readonly reason: ReasonName;
  /** The number of the reason: counters, metrics and the C filter speak in these. */
  readonly reasonCode: number;
  /** The frame to send back; only with `reply`. */
  readonly answer?: Uint8Array;
}

const NUMBERS = new Map(REASONS.map(({ name, number }) => [name, number]));

/** Whether a frame judged so goes on or is answered. */
export function letsPass(reason: ReasonName): boolean {
  return !isDrop(numberOf(reason));
}

/** The verdict of a reason that lets pass or drops. */
export function verdictOf(reason: ReasonName): Verdict {
  const reasonCode = numberOf(reason);
  return { action: isDrop(reasonCode) ? 'drop' : 'allow', reason, reasonCode };
}

/** @param answer the frame that is sent back instead of letting the question through */
export function replyWith(reason: ReasonName, answer: Uint8Array): Verdict {
  return { action: 'reply', reason, reasonCode: numberOf(reason), answer };
}

function numberOf(reason: ReasonName): number {
  const number = NUMBERS.get(reason);
  if (number === undefined) throw new Error(`no number for the reason ${reason}`);
  return number;
}
