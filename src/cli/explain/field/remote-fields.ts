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
    field(
      'previousEndpoint',
      remoteOf(judged),
      `${judged.policy.endpoint.address}:${judged.policy.endpoint.port}`,
    ),
  SourceAddress: ({ view, direction, policy }) =>
    field(
      'ipv4.source',
      view.ipv4(SOURCE),
      direction === 'from-vm' ? policy.guestAddress : policy.endpoint.address,
    ),
  DestinationAddress: ({ view, direction, policy }) =>
    field(
      'ipv4.destination',
      view.ipv4(DESTINATION),
      direction === 'from-vm' ? policy.endpoint.address : policy.guestAddress,
    ),
  SourcePort: ({ view, direction, policy }) =>
    field('udp.sourcePort', view.u16(UDP), direction === 'from-vm' ? 'not 0' : policy.endpoint.port),
  DestinationPort: ({ view, direction, policy }) =>
    field('udp.destinationPort', view.u16(UDP + 2), direction === 'from-vm' ? policy.endpoint.port : 'not 0'),
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
