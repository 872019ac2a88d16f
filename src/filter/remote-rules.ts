import type { Ipv4Header } from '../packet/ipv4-header.ts';
import type { UdpDatagram } from '../packet/udp-datagram.ts';
import { sameEndpoint, udpEndpoint, type Endpoint } from './endpoint.ts';
import type { FilterPolicy } from './filter-policy.ts';
import type { Direction } from './filtering-strategy.ts';
import type { Rule } from './rule.ts';
import type { ReasonName } from './verdict.ts';
import { hasWireGuardShape } from './wireguard-shape.ts';

/** A datagram between the guest and somebody. */
export interface Spoken {
  readonly policy: FilterPolicy;
  readonly header: Ipv4Header;
  readonly datagram: UdpDatagram;
}

/** One way of a conversation: where the remote side stands, what it is dropped for, and what else must hold. */
export interface Conversation {
  readonly remoteOf: (spoken: Spoken) => Endpoint;
  readonly wrong: { readonly address: ReasonName; readonly port: ReasonName };
  readonly rules: readonly Rule<Spoken>[];
}

const SHAPE: Rule<Spoken> = [
  'NotWireGuard',
  ({ policy, datagram }) => !policy.strictWireGuard || hasWireGuardShape(datagram.payload),
];

export const CONVERSATIONS: Readonly<Record<Direction, Conversation>> = {
  // The guest's address was looked at before the protocol. Nobody could answer to port 0.
  'from-vm': {
    remoteOf: ({ header, datagram }) => udpEndpoint(header.destination, datagram.destinationPort),
    wrong: { address: 'DestinationAddress', port: 'DestinationPort' },
    rules: [['SourcePort', ({ datagram }) => datagram.sourcePort !== 0], SHAPE],
  },
  // Whether the port belongs to a flow of this guest is the NAT's to know (docs/adr/0004).
  'to-vm': {
    remoteOf: ({ header, datagram }) => udpEndpoint(header.source, datagram.sourcePort),
    wrong: { address: 'SourceAddress', port: 'SourcePort' },
    rules: [
      ['DestinationAddress', ({ policy, header }) => header.destination.equals(policy.guestAddress)],
      ['DestinationPort', ({ datagram }) => datagram.destinationPort !== 0],
      SHAPE,
    ],
  },
};

/**
 * Whether the guest and `remote` may speak: a reason that lets pass or one that drops. The endpoint in force goes before
 * the previous one, and that before the question what is wrong about it.
 */
export function judgeRemote(
  policy: FilterPolicy,
  remote: Endpoint,
  nowNs: bigint,
  wrong: Conversation['wrong'],
): ReasonName {
  const listing = policy.endpoints.lookUp(remote);
  if (listing === 'listed') return 'Allowed';
  if (policy.previous !== null && sameEndpoint(policy.previous.endpoint, remote))
    return nowNs < policy.previous.untilNs ? 'AllowedPreviousEndpoint' : 'PreviousEndpointExpired';
  return listing === 'other-port' ? wrong.port : wrong.address;
}
