import { expect, test } from '@jest/globals';
import { isTunnelDatagram } from '../../../demo/scenario/tunnel-datagram.ts';
import { CAST, fromGuest } from '../../support/frames/cast.ts';
import { WireGuard, wireGuardShape } from '../../support/frames/index.ts';

const { guestAddress: source, endpoint } = CAST;
const handshake = wireGuardShape(WireGuard.initiation.type, WireGuard.initiation.bytes);
const sent = (ip = {}, udp = {}): Uint8Array => fromGuest(CAST, { ip, udp: { payload: handshake, ...udp } });
const judged = (frame: Uint8Array): boolean => isTunnelDatagram(frame, source, endpoint);

test.each([
  ['a handshake', handshake],
  ['the least data', wireGuardShape(4, 32)],
  ['data of a full packet, which is not padded', wireGuardShape(4, 1452)],
])('%s to the endpoint is the tunnel', (_, payload) => {
  expect(judged(sent({}, { payload }))).toBe(true);
});

test.each([
  ['another source', sent({ source: '192.0.2.77' })],
  ['another destination', sent({ destination: '198.51.100.1' })],
  ['another port', sent({}, { destinationPort: endpoint.port + 1 })],
  ['another protocol', sent({ protocol: 6 })],
  ['a fragment', sent({ moreFragments: true })],
  ['a type that there is not', sent({}, { payload: wireGuardShape(5, 148) })],
  ['a handshake of another length', sent({}, { payload: wireGuardShape(1, 149) })],
  ['too little data', sent({}, { payload: wireGuardShape(4, 31) })],
  ['no IPv4', Buffer.from(sent()).fill(0x86, 12, 13)],
  ['not even a header', new Uint8Array(20)],
])('%s is an arrival', (_, frame) => {
  expect(judged(frame)).toBe(false);
});
