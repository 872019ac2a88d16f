import { IpProtocol } from '../packet/ipv4-header.ts';
import type { Ipv4Packet } from '../packet/ipv4-packet.ts';
import { failed } from '../packet/parse-failure.ts';
import { UdpDatagram } from '../packet/udp-datagram.ts';
import type { Case } from './case.ts';
import { checksumStaysInPlace } from './checksum-place.ts';
import { udpEndpoint } from './endpoint.ts';
import type { Carried } from './ipv4-rules.ts';
import type { Spoken } from './remote-rules.ts';
import { firstBroken, type Rule } from './rule.ts';
import { SUPER_FRAME_RULES } from './super-frame-rules.ts';
import type { ReasonName } from './verdict.ts';

/** The datagram fills its packet exactly, is one, and stays as it was judged but for its checksum. */
const DATAGRAM_RULES: readonly Rule<Carried>[] = [
  ['IcmpToEndpoint', (carried) => !isIcmpToEndpoint(carried)],
  ['Protocol', ({ packet }) => packet.header.protocol === IpProtocol.UDP],
  ['UdpLength', ({ packet }) => fillsItsPacket(packet)],
  ['ChecksumOffload', ({ its, packet }) => checksumStaysInPlace(its, packet)],
];

/**
 * A reason of its own, for it is no violation: the guest's kernel answers by it what the endpoint sends to a closed port, so
 * that whoever sends it would choose what happens to the VM.
 */
function isIcmpToEndpoint({ its: { direction, policy }, packet: { header } }: Carried): boolean {
  if (direction === 'to-vm' || header.protocol !== IpProtocol.ICMP) return false;
  // No port is listed as 0: what is asked is whether the address is.
  const isEndpoint = policy.endpoints.lookUp(udpEndpoint(header.destination, 0)) !== 'unlisted';
  return isEndpoint || (policy.previous?.endpoint.address.equals(header.destination) ?? false);
}

function fillsItsPacket(packet: Ipv4Packet): boolean {
  const datagram = UdpDatagram.in(packet);
  return !failed(datagram) && datagram.surplus.length === 0;
}

/** The datagram in a packet, or what is wrong with it. Whom it is for is not asked yet. */
export function readDatagram(its: Case, packet: Ipv4Packet): Spoken | ReasonName {
  const broken = firstBroken(DATAGRAM_RULES, { its, packet });
  if (broken !== null) return broken;
  const datagram = UdpDatagram.in(packet);
  if (failed(datagram)) return 'UdpLength';
  const { superFrame } = its.circumstances;
  const notInPieces =
    superFrame === null ? null : firstBroken(SUPER_FRAME_RULES, { its, superFrame, packet, datagram });
  return notInPieces ?? { its, header: packet.header, datagram };
}
