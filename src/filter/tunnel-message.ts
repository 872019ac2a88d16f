import { readU8 } from '../packet/network-order.ts';
import { failed } from '../packet/parse-failure.ts';
import { UdpDatagram } from '../packet/udp-datagram.ts';
import type { Case } from './case.ts';
import type { Endpoint } from './endpoint.ts';
import { readPacket } from './own-packet.ts';
import { CONVERSATIONS, type Spoken } from './remote-rules.ts';
import { payloadsOf } from './super-frame-rules.ts';
import { hasWireGuardShape } from './wireguard-shape.ts';

/** What can be read of a WireGuard message without a key (the WireGuard paper, 5.4). Cookie replies tell nothing of a tunnel. */
export type TunnelMessage = { readonly endpoint: Endpoint } & (
  | { readonly kind: 'initiation'; readonly sender: number }
  | { readonly kind: 'response'; readonly sender: number; readonly receiver: number }
  | { readonly kind: 'data'; readonly receiver: number }
  | { readonly kind: 'cookie' }
);

/** The message that a frame which passed begins with; null: it is none between the guest and its endpoint. */
export function tunnelMessage(its: Case, frame: Uint8Array): TunnelMessage | null {
  const spoken = spokenIn(its, frame);
  if (spoken === null) return null;
  const endpoint = CONVERSATIONS[its.direction].remoteOf(spoken);
  if (its.policy.endpoints.lookUp(endpoint) !== 'listed') return null;

  const [payload] = payloadsOf(spoken.datagram.payload, its.circumstances.superFrame);
  if (payload === undefined || !hasWireGuardShape(payload)) return null;
  switch (readU8(payload, 0)) {
    case 1:
      return { endpoint, kind: 'initiation', sender: indexAt(payload, 4) };
    case 2:
      return { endpoint, kind: 'response', sender: indexAt(payload, 4), receiver: indexAt(payload, 8) };
    case 3:
      return { endpoint, kind: 'cookie' };
    default:
      return { endpoint, kind: 'data', receiver: indexAt(payload, 4) };
  }
}

/** A datagram in one piece that the guest sent, or that is for it. Not every mode asked for that. */
function spokenIn(its: Case, frame: Uint8Array): Spoken | null {
  const packet = readPacket(its, frame);
  if (typeof packet === 'string') return null;
  const { header } = packet;
  if (header.options.length > 0 || header.isFragment || header.reservedFlag) return null;
  const guest = its.direction === 'from-vm' ? header.source : header.destination;
  if (!guest.equals(its.policy.guestAddress)) return null;
  const datagram = UdpDatagram.in(packet);
  return failed(datagram) || datagram.surplus.length > 0 ? null : { its, header, datagram };
}

/** Random bits that nobody counts with; read as the paper has them, the least byte first. */
function indexAt(payload: Uint8Array, offset: number): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(offset, true);
}
