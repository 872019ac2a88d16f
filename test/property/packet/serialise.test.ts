import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ArpPacket } from '../../../src/packet/arp-packet.ts';
import { EthernetFrame } from '../../../src/packet/ethernet-frame.ts';
import { internetChecksum } from '../../../src/packet/internet-checksum.ts';
import { Ipv4Packet } from '../../../src/packet/ipv4-packet.ts';
import { failed } from '../../../src/packet/parse-failure.ts';
import { TcpSegment } from '../../../src/packet/tcp-segment.ts';
import { UdpDatagram } from '../../../src/packet/udp-datagram.ts';
import * as checksums from '../../support/frames/checksum.ts';
import { concat, patched, u16 } from '../../support/frames/bytes.ts';
import { parsed } from '../../support/frames-generator/parsed.ts';

const RUNS = { numRuns: 1000 };
const bytes = (maxLength: number, minLength = 0): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength, maxLength, size: 'max' });
const identical = (a: Uint8Array, b: Uint8Array): void => expect(Buffer.compare(a, b)).toBe(0);

/** Any header and payload, the lengths made true: of everything else every bit is arbitrary. */
const packets = fc
  .record({
    words: fc.integer({ min: 5, max: 15 }),
    noise: bytes(60, 60),
    payload: bytes(200),
    padding: bytes(20),
  })
  .map(({ words, noise, payload, padding }) => {
    const header = patched(noise.subarray(0, words * 4), 0, [0x40 | words]);
    return concat(patched(header, 2, [...u16(words * 4 + payload.length)]), payload, padding);
  });

const datagrams = fc
  .record({
    packet: packets,
    ports: bytes(4, 4),
    checksum: bytes(2, 2),
    payload: bytes(100),
    surplus: bytes(10),
  })
  .map(({ packet, ports, checksum, payload, surplus }) => {
    const ihl = (packet[0] ?? 0) & 0x0f;
    const udp = concat(ports, u16(8 + payload.length), checksum, payload, surplus);
    const header = patched(patched(packet.subarray(0, ihl * 4), 6, [0x40, 0]), 9, [17]);
    return { udp, packet: concat(patched(header, 2, [...u16(ihl * 4 + udp.length)]), udp) };
  });

describe('[EF-4] parse then serialise gives identical bytes', () => {
  test('of any frame there is', () => {
    fc.assert(
      fc.property(bytes(1514, 14), (frame) =>
        identical(parsed(EthernetFrame.parse(frame)).serialise(), frame),
      ),
      RUNS,
    );
  });

  test('of any frame with an EtherType that we know, tags included', () => {
    const types = fc.constantFrom(0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8, 0x9100, 0, 0x05dc);
    fc.assert(
      fc.property(bytes(120, 14), types, (noise, type) => {
        const frame = patched(noise, 12, [...u16(type)]);
        identical(parsed(EthernetFrame.parse(frame)).serialise(), frame);
      }),
      RUNS,
    );
  });

  test('of IPv4 packets with and without options and padding, right checksum or wrong', () => {
    fc.assert(
      fc.property(packets, (packet) => identical(parsed(Ipv4Packet.parse(packet)).serialise(), packet)),
      RUNS,
    );
  });

  test('of UDP datagrams, and of the packets around them', () => {
    fc.assert(
      fc.property(datagrams, ({ udp, packet }) => {
        const around = parsed(Ipv4Packet.parse(packet));
        identical(parsed(UdpDatagram.in(around)).serialise(), udp);
        identical(around.serialise(), packet);
      }),
      RUNS,
    );
  });

  test('of ARP packets with and without padding', () => {
    const arp = fc
      .tuple(bytes(22, 22), bytes(18))
      .map(([rest, padding]) => concat(Uint8Array.of(0, 1, 8, 0, 6, 4), rest, padding));
    fc.assert(
      fc.property(arp, (packet) => identical(parsed(ArpPacket.parse(packet)).serialise(), packet)),
      RUNS,
    );
  });
});

test('[EF-2] no bytes make a parser throw, and what it takes it gives back', () => {
  const anything = fc.oneof(
    bytes(80),
    packets,
    datagrams.map(({ packet }) => packet),
  );
  fc.assert(
    fc.property(anything, fc.nat(80), (whole, kept) => {
      for (const part of [whole, whole.subarray(0, kept)]) {
        const views = [EthernetFrame.parse(part), ArpPacket.parse(part), Ipv4Packet.parse(part)];
        for (const view of views) if (!failed(view)) identical(view.serialise(), part);
        const packet = views[2];
        if (!(packet instanceof Ipv4Packet)) continue;
        const datagram = UdpDatagram.in(packet);
        if (!failed(datagram)) identical(datagram.serialise(), packet.payload);
        expect(TcpSegment.in(packet)).toBeDefined();
      }
    }),
    RUNS,
  );
});

test('the checksum is that of another implementation, for odd and for long bytes', () => {
  const same = (any: Uint8Array): void => expect(internetChecksum(any)).toBe(checksums.internetChecksum(any));
  fc.assert(fc.property(bytes(61), same), RUNS);
  for (const length of [1500, 65_535, 300_001]) same(new Uint8Array(length).fill(0xff));
});
