import { internetChecksum } from '../../../packet/internet-checksum.ts';
import { protocolName } from '../../../packet/summary/transport-summary.ts';
import type { FrameView } from '../../../packet/summary/frame-view.ts';
import { type DecidingField, field, type FieldOf, hex16 } from './field.ts';

/** Offsets in a frame without tags. */
const HEADER = 14;
const TOTAL_LENGTH = 16;
const FLAGS = 20;
const TTL = 22;
const PROTOCOL = 23;
const CHECKSUM = 24;
export const SOURCE = 26;
export const DESTINATION = 30;
export const UDP = 34;

const HEADER_BYTES = 20;
const UDP_BYTES = 8;

export const IPV4_FIELDS = {
  IpVersion: ({ view }) => field('ipv4.version', view.u8(HEADER) >> 4, 4),
  IpHeaderLength: ({ view }) => field('ipv4.headerLength', headerBytes(view), headerBounds(view)),
  IpOptions: ({ view }) => field('ipv4.headerLength', headerBytes(view), HEADER_BYTES),
  IpTotalLength: ({ view }) =>
    field('ipv4.totalLength', view.u16(TOTAL_LENGTH), `${headerBytes(view)} to ${view.frameBytes - HEADER}`),
  IpFragment: ({ view }) => fragment(view.u16(FLAGS)),
  IpChecksum: ({ view }) => field('ipv4.checksum', hex16(view.u16(CHECKSUM)), hex16(rightChecksum(view))),
  IpTtl: ({ view }) => field('ipv4.ttl', view.u8(TTL), 'at least 1'),
  PacketTooBig: ({ view, policy }) =>
    field('ipv4.totalLength', view.u16(TOTAL_LENGTH), `at most ${policy.maxPacketBytes}`),
  Protocol: ({ view }) => protocol(view),
  IcmpToEndpoint: ({ view }) => protocol(view),
  UdpLength: ({ view }) => udpLength(view),
} satisfies Record<string, FieldOf>;

function protocol(view: FrameView): DecidingField {
  return field('ipv4.protocol', `${view.u8(PROTOCOL)} (${protocolName(view.u8(PROTOCOL))})`, '17 (UDP)');
}

function headerBytes(view: FrameView): number {
  return 4 * (view.u8(HEADER) & 0xf);
}

function headerBounds(view: FrameView): string {
  return `${HEADER_BYTES} to ${view.frameBytes - HEADER}`;
}

function fragment(flags: number): DecidingField {
  const offset = 8 * (flags & 0x1fff);
  if (offset > 0) return field('ipv4.fragmentOffset', offset, 0);
  return (flags & 0x2000) !== 0
    ? field('ipv4.moreFragments', 'set', 'not set')
    : field('ipv4.reservedFlag', 'set', 'not set');
}

function rightChecksum(view: FrameView): number {
  const header = Uint8Array.from({ length: HEADER_BYTES }, (_, at) => view.u8(HEADER + at));
  header.fill(0, CHECKSUM - HEADER, CHECKSUM - HEADER + 2);
  return internetChecksum(header);
}

function udpLength(view: FrameView): DecidingField {
  const bytes = view.u16(TOTAL_LENGTH) - HEADER_BYTES;
  if (bytes < UDP_BYTES) return field('ipv4.totalLength', bytes + HEADER_BYTES, 'at least 28');
  return field('udp.length', view.u16(UDP + 4), bytes);
}
