import type { Ipv4Header } from '../packet/ipv4-header.ts';
import type { UdpDatagram } from '../packet/udp-datagram.ts';
import type { Case } from './case.ts';
import { sameEndpoint, udpEndpoint, type Endpoint } from './endpoint.ts';
import type { Direction } from './filtering-strategy.ts';
import { isGuest } from './ipv4-rules.ts';
import type { Rule } from './rule.ts';
import { payloadsOf } from './super-frame-rules.ts';
import type { ReasonName } from './verdict.ts';
import { hasWireGuardShape } from './wireguard-shape.ts';

/** A datagram between the guest and somebody. */
export interface Spoken {
  readonly its: Case;
  readonly header: Ipv4Header;
  readonly datagram: UdpDatagram;
}

/** One way of a conversation: where its ends stand, what the remote one is dropped for, what must hold of the near one. */
export interface Conversation {
  readonly remoteOf: (spoken: Spoken) => Endpoint;
  readonly guestPortOf: (spoken: Spoken) => number;
  readonly wrong: { readonly address: ReasonName; readonly port: ReasonName };
  readonly guestRules: readonly Rule<Spoken>[];
}

export const CONVERSATIONS: Readonly<Record<Direction, Conversation>> = {
  // The guest's address was looked at before the protocol. Nobody could answer to port 0.
  'from-vm': {
    remoteOf: ({ header, datagram }) => udpEndpoint(header.destination, datagram.destinationPort),
    guestPortOf: ({ datagram }) => datagram.sourcePort,
    wrong: { address: 'DestinationAddress', port: 'DestinationPort' },
    guestRules: [['SourcePort', ({ datagram }) => datagram.sourcePort !== 0]],
  },
  // Whether the port belongs to a flow of this guest is the NAT's to know (docs/adr/0004).
  'to-vm': {
    remoteOf: ({ header, datagram }) => udpEndpoint(header.source, datagram.sourcePort),
    guestPortOf: ({ datagram }) => datagram.destinationPort,
    wrong: { address: 'SourceAddress', port: 'SourcePort' },
    guestRules: [
      ['DestinationAddress', ({ its, header }) => isGuest(header.destination, its)],
      ['DestinationPort', ({ datagram }) => datagram.destinationPort !== 0],
    ],
  },
};

/** Of every packet that leaves, if the policy is strict. */
export const SHAPE_RULES: readonly Rule<Spoken>[] = [
  [
    'NotWireGuard',
    ({ its, datagram }) =>
      !its.policy.strictWireGuard ||
      payloadsOf(datagram.payload, its.circumstances.superFrame).every(hasWireGuardShape),
  ],
];

/**
 * Whether the guest and `remote` may speak: a reason that lets pass or one that drops. The endpoint in force goes before
 * the previous one, and that before the question what is wrong about it.
 */
export function judgeRemote({ direction, policy, circumstances }: Case, remote: Endpoint): ReasonName {
  const listing = policy.endpoints.lookUp(remote);
  if (listing === 'listed') return 'Allowed';
  if (policy.previous !== null && sameEndpoint(policy.previous.endpoint, remote))
    return circumstances.nowNs < policy.previous.untilNs
      ? 'AllowedPreviousEndpoint'
      : 'PreviousEndpointExpired';
  const { wrong } = CONVERSATIONS[direction];
  return listing === 'other-port' ? wrong.port : wrong.address;
}
