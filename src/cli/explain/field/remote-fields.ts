import type { PolicyEndpoint } from '../../../native/policy-abi.ts';
import type { FrameView } from '../../../packet/summary/frame-view.ts';
import { type DecidingField, field, type FieldOf, type JudgedByPolicy } from './field.ts';
import { DESTINATION, SOURCE, UDP } from './ipv4-fields.ts';

const PAYLOAD = UDP + 8;

/** Lengths of WireGuard messages by their type (the WireGuard paper, 5.4). */
const MESSAGES: Readonly<Record<number, string>> = {
  1: '148',
  2: '92',
  3: '64',
  4: '32 or more, a multiple of 16 below 608',
};

export const REMOTE_FIELDS = {
  Allowed: (judged) => field('endpoint', remoteOf(judged)),
  AllowedPreviousEndpoint: (judged) => field('previousEndpoint', remoteOf(judged)),
  AllowedFlow: (judged) => field('flow', `${guestPortOf(judged)} - ${remoteOf(judged)}`),
  PreviousEndpointExpired: (judged) =>
    field('previousEndpoint', remoteOf(judged), `${endpointOf(judged).address}:${endpointOf(judged).port}`),
  SourceAddress: (judged) =>
    field(
      'ipv4.source',
      judged.view.ipv4(SOURCE),
      judged.direction === 'from-vm' ? judged.policy.guestAddress : endpointOf(judged).address,
    ),
  DestinationAddress: (judged) =>
    field(
      'ipv4.destination',
      judged.view.ipv4(DESTINATION),
      judged.direction === 'from-vm' ? endpointOf(judged).address : judged.policy.guestAddress,
    ),
  DeniedNetwork: ({ view, direction }) =>
    direction === 'from-vm'
      ? field('ipv4.destination', view.ipv4(DESTINATION), 'outside of the denied networks')
      : field('ipv4.source', view.ipv4(SOURCE), 'outside of the denied networks'),
  SourcePort: (judged) =>
    field(
      'udp.sourcePort',
      judged.view.u16(UDP),
      judged.direction === 'from-vm' ? 'not 0' : endpointOf(judged).port,
    ),
  DestinationPort: (judged) =>
    field(
      'udp.destinationPort',
      judged.view.u16(UDP + 2),
      judged.direction === 'from-vm' ? endpointOf(judged).port : 'not 0',
    ),
  NotWireGuard: ({ view }) => notWireGuard(view),
} satisfies Record<string, FieldOf>;

function remoteOf({ view, direction }: JudgedByPolicy): string {
  return direction === 'from-vm'
    ? `${view.ipv4(DESTINATION)}:${view.u16(UDP + 2)}`
    : `${view.ipv4(SOURCE)}:${view.u16(UDP)}`;
}

function guestPortOf({ view, direction }: JudgedByPolicy): number {
  return view.u16(direction === 'from-vm' ? UDP : UDP + 2);
}

/** Mode Direct has none, and none of the rules that ask for it. */
function endpointOf({ policy }: JudgedByPolicy): PolicyEndpoint {
  return policy.endpoint ?? { address: '0.0.0.0', port: 0 };
}

function notWireGuard(view: FrameView): DecidingField {
  const bytes = view.u16(UDP + 4) - 8;
  if (bytes < 4) return field('wireguard.length', bytes, 'at least 32');
  const type = view.u8(PAYLOAD);
  const lengths = MESSAGES[type];
  if (lengths === undefined) return field('wireguard.type', type, '1 to 4');
  const reserved = view.bytes.subarray(PAYLOAD + 1, PAYLOAD + 4);
  if (reserved.some((byte) => byte !== 0))
    return field('wireguard.reserved', Buffer.from(reserved).toString('hex'), '000000');
  return field('wireguard.length', bytes, lengths);
}
