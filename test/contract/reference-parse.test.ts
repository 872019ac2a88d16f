import { expect, test } from '@jest/globals';
import { ArpPacket } from '../../src/packet/arp-packet.ts';
import { EthernetFrame } from '../../src/packet/ethernet-frame.ts';
import { Ipv4Packet } from '../../src/packet/ipv4-packet.ts';
import { failed, type ParseFailure } from '../../src/packet/parse-failure.ts';
import { TcpSegment } from '../../src/packet/tcp-segment.ts';
import { UdpDatagram } from '../../src/packet/udp-datagram.ts';
import { parseFrame } from '../../src/native/verdict.ts';
import { scenarios } from '../support/frames-generator/scenario.ts';

// The views of src/packet against the C parser (native/include/vmn/frame.h), under up to two VLAN tags.

const SEED = 4711;
const FRAMES = 20_000;

/** The two tell the same story when they break off at the same place or read the same numbers. */
type Story = Record<string, number | string | boolean | null>;

function referenceStory(bytes: Uint8Array): Story {
  const frame = EthernetFrame.parse(bytes);
  if (failed(frame)) return { failure: frame.reason };
  const link = {
    source: frame.source.toString(),
    destination: frame.destination.toString(),
    type: frame.etherType,
  };
  const untagged = frame.untagged();
  if (failed(untagged)) return { failure: untagged.reason, ...link };
  const { etherType, payload } = untagged;
  if (etherType === 0x0806) {
    const arp = ArpPacket.parse(payload);
    if (failed(arp)) return { failure: arp.reason, ...link };
    const sender = `${arp.senderMac.toString()} ${arp.senderAddress.toString()}`;
    const target = `${arp.targetMac.toString()} ${arp.targetAddress.toString()}`;
    return { failure: null, ...link, operation: arp.operation, sender, target };
  }
  return etherType === 0x0800 ? ipv4Story(payload, link) : { failure: null, ...link };
}

function ipv4Story(bytes: Uint8Array, link: Story): Story {
  const packet = Ipv4Packet.parse(bytes);
  if (failed(packet)) return { failure: packet.reason, ...link };
  const { header } = packet;
  const ip = {
    from: header.source.toString(),
    to: header.destination.toString(),
    protocol: header.protocol,
    totalBytes: header.totalBytes,
    timeToLive: header.timeToLive,
    fragment: header.fragmentOffset,
    more: header.moreFragments,
  };
  const transport = header.protocol === 6 ? TcpSegment.in(packet) : UdpDatagram.in(packet);
  if (!failed(transport))
    return { failure: null, ...link, ...ip, ports: `${transport.sourcePort} ${transport.destinationPort}` };
  return { failure: noTransport(transport) ? null : transport.reason, ...link, ...ip };
}

const noTransport = ({ reason }: ParseFailure): boolean =>
  reason === 'OtherProtocol' || reason === 'LaterFragment';

function cStory(bytes: Uint8Array): Story {
  const result = parseFrame(bytes);
  const failure = 'failure' in result ? result.failure : null;
  const frame = 'failure' in result ? result.frame : result;
  if (frame === undefined) return { failure };
  const { arp, ipv4, udp, tcp } = frame;
  const ports = udp ?? tcp;
  return {
    failure,
    source: frame.source,
    destination: frame.destination,
    type: frame.etherType,
    ...(arp && {
      operation: arp.operation,
      sender: `${arp.senderMac} ${arp.senderAddress}`,
      target: `${arp.targetMac} ${arp.targetAddress}`,
    }),
    ...(ipv4 && {
      from: ipv4.source,
      to: ipv4.destination,
      protocol: ipv4.protocol,
      totalBytes: ipv4.totalBytes,
      timeToLive: ipv4.ttl,
      fragment: ipv4.fragmentOffset,
      more: ipv4.moreFragments,
    }),
    ...(ports && { ports: `${ports.sourcePort} ${ports.destinationPort}` }),
  };
}

test(`${String(FRAMES)} generated frames are read the same by the views and by the C parser`, () => {
  const failures = new Set<unknown>();
  const source = scenarios(SEED);
  for (let index = 0; index < FRAMES; index += 1) {
    const { frame } = source.next().value;
    const story = referenceStory(frame);
    failures.add(story['failure']);
    expect({ index, hex: Buffer.from(frame).toString('hex'), ...story }).toEqual({
      index,
      hex: Buffer.from(frame).toString('hex'),
      ...cStory(frame),
    });
  }
  const reached = [
    'FrameTooShort',
    'VlanTooShort',
    'ArpTooShort',
    'ArpFormat',
    'IpTooShort',
    'IpVersion',
    'IpHeaderLength',
  ];
  expect([...failures]).toEqual(
    expect.arrayContaining([null, 'IpTotalLength', 'UdpTooShort', 'UdpLength', ...reached]),
  );
});
