import { describe, expect, test } from '@jest/globals';
import { Ipv4Packet } from '../../../src/packet/ipv4-packet.ts';
import { TcpSegment } from '../../../src/packet/tcp-segment.ts';
import { UdpDatagram } from '../../../src/packet/udp-datagram.ts';
import { CAST, fromGuest, GUEST_PORT, type Twist } from '../../support/frames/cast.ts';
import * as frames from '../../support/frames/index.ts';
import { failureOf, parsed } from '../../support/frames-generator/parsed.ts';

const send = (twist?: Twist): Uint8Array => fromGuest(CAST, twist).subarray(14);
const packet = (twist?: Twist): Ipv4Packet => parsed(Ipv4Packet.parse(send(twist)));
const between = { source: CAST.guestAddress, destination: CAST.endpoint.address };
const tcp = frames.tcp({ ...between, sourcePort: 50000, destinationPort: 443, payload: frames.pattern(5) });

describe('[IP-1] what a packet says', () => {
  test('UDP: addresses, protocol, ports, offsets', () => {
    const { header, payloadOffset } = packet();
    expect([header.source.toString(), header.destination.toString()]).toEqual(Object.values(between));
    expect(header).toMatchObject({ protocol: 17, headerBytes: 20, totalBytes: 60, timeToLive: 64 });
    expect(payloadOffset).toBe(20);
    const datagram = parsed(UdpDatagram.in(packet()));
    expect(datagram).toMatchObject({
      sourcePort: GUEST_PORT,
      destinationPort: CAST.endpoint.port,
      udpBytes: 40,
    });
    expect(datagram.payload.length).toBe(32);
  });

  test('TCP: ports and payload', () => {
    const carrying = packet({ ip: { protocol: 6, payload: tcp } });
    const segment = parsed(TcpSegment.in(carrying));
    expect(segment).toMatchObject({ sourcePort: 50000, destinationPort: 443, headerBytes: 20 });
    expect(segment.payload).toEqual(frames.pattern(5));
    expect(failureOf(UdpDatagram.in(carrying))).toBe('OtherProtocol');
  });

  test.each([0, 19])('TCP of %i bytes, and headers that lie: typed failures', (kept) => {
    const failure = (payload: Uint8Array): unknown =>
      failureOf(TcpSegment.in(packet({ ip: { protocol: 6, payload } })));
    expect(failure(tcp.subarray(0, kept))).toBe('TcpTooShort');
    expect(failure(frames.patched(tcp, 12, [0x40]))).toBe('TcpHeaderLength');
    expect(failure(frames.patched(tcp, 12, [0xf0]))).toBe('TcpHeaderLength');
  });

  test('ICMP has no ports', () => {
    const payload = frames.icmp(frames.IcmpType.echoRequest, 0, frames.pattern(12));
    const carrying = packet({ ip: { protocol: 1, payload } });
    expect(carrying.payload).toEqual(payload);
    expect([UdpDatagram.in(carrying), TcpSegment.in(carrying)].map(failureOf)).toEqual([
      'OtherProtocol',
      'OtherProtocol',
    ]);
  });

  test('payloads are views, and padding is neither payload nor failure', () => {
    const bytes = frames.padded(send({ udp: { payload: frames.pattern(2) } }), 46);
    const read = parsed(Ipv4Packet.parse(bytes));
    expect(read.payload.buffer).toBe(bytes.buffer);
    expect([read.payload.length, read.padding.length]).toEqual([10, 16]);
    expect(parsed(UdpDatagram.in(read)).payload).toEqual(frames.pattern(2));
  });
});

test.each([6, 7, 8, 9, 10, 11, 12, 13, 14, 15])(
  '[IP-2] IHL %i: payload and ports behind the options',
  (words) => {
    const options = frames.pattern((words - 5) * 4);
    const read = packet({ ip: { options } });
    expect(read.header).toMatchObject({ headerBytes: words * 4, checksumIsRight: true });
    expect(read.header.options).toEqual(options);
    expect(read.payloadOffset).toBe(words * 4);
    expect(parsed(UdpDatagram.in(read))).toMatchObject({
      sourcePort: GUEST_PORT,
      destinationPort: CAST.endpoint.port,
    });
  },
);

describe('[IP-3] a header that cannot be is a typed failure', () => {
  const failure = (bytes: Uint8Array): unknown => failureOf(Ipv4Packet.parse(bytes));

  test('under 20 bytes', () => {
    for (let kept = 0; kept < 20; kept += 1) expect(failure(send().subarray(0, kept))).toBe('IpTooShort');
  });
  test.each([0, 5, 6, 15])('version %i', (version) => {
    expect(failure(send({ ip: { version } }))).toBe('IpVersion');
  });
  test.each([0, 1, 2, 3, 4])('IHL %i', (headerWords) => {
    expect(failure(send({ ip: { headerWords } }))).toBe('IpHeaderLength');
  });
  test('IHL past the end, by one word and by all; up to the end it is not', () => {
    const short = send().subarray(0, 28);
    for (const ihl of [8, 15]) expect(failure(frames.patched(short, 0, [0x40 | ihl]))).toBe('IpHeaderLength');
    const upToTheEnd = frames.patched(frames.patched(short, 0, [0x47]), 2, [0, 28]);
    expect(parsed(Ipv4Packet.parse(upToTheEnd)).payload.length).toBe(0);
  });
  test.each([0, 1, 19, 61, 1500, 65535])('total length %i', (totalLength) => {
    expect(failure(send({ ip: { totalLength } }))).toBe('IpTotalLength');
  });
  test.each([20, 27])('total length %i with 8 bytes of options', (totalLength) => {
    expect(failure(send({ ip: { options: new Uint8Array(8).fill(1), totalLength } }))).toBe('IpTotalLength');
  });
});

describe('[IP-4] a UDP length that cannot be is a typed failure', () => {
  const failure = (twist: Twist): unknown => failureOf(UdpDatagram.in(packet(twist)));

  test.each([0, 1, 7, 41, 42, 65535])('length %i in a packet with room for 40', (length) => {
    expect(failure({ udp: { length } })).toBe('UdpLength');
  });
  test.each([8, 39, 40])('length %i is possible; what is beyond it is surplus, not payload', (length) => {
    const datagram = parsed(UdpDatagram.in(packet({ udp: { length } })));
    expect([datagram.payload.length, datagram.surplus.length]).toEqual([length - 8, 40 - length]);
  });
  test.each([0, 1, 7])('%i bytes of header, and bytes behind the packet do not complete it', (kept) => {
    expect(failure({ ip: { payload: new Uint8Array(kept) } })).toBe('UdpTooShort');
    expect(failure({ ip: { totalLength: 20 + kept } })).toBe('UdpTooShort');
  });
});

describe('[IP-5] fragments', () => {
  test('more fragments: recognised; the first one has ports', () => {
    const first = packet({ ip: { moreFragments: true }, udp: { length: 4000 } });
    expect(first.header).toMatchObject({ isFragment: true, isLaterFragment: false, moreFragments: true });
    expect(parsed(UdpDatagram.in(first))).toMatchObject({ sourcePort: GUEST_PORT, udpBytes: 4000 });
  });

  test.each([1, 3, 185, 0x1fff])('offset %i: recognised, and no ports read', (fragmentOffset) => {
    for (const moreFragments of [true, false]) {
      const later = packet({ ip: { fragmentOffset, moreFragments } });
      expect(later.header).toMatchObject({
        isFragment: true,
        isLaterFragment: true,
        moreFragments,
        fragmentOffset: fragmentOffset * 8,
      });
      expect(failureOf(UdpDatagram.in(later))).toBe('LaterFragment');
      const ofTcp = packet({ ip: { fragmentOffset, protocol: 6, payload: tcp } });
      expect(failureOf(TcpSegment.in(ofTcp))).toBe('LaterFragment');
    }
  });

  test('neither "do not fragment" nor the reserved bit makes a fragment', () => {
    const flags = packet({ ip: { dontFragment: true, reservedFlag: true } }).header;
    expect(flags).toMatchObject({ isFragment: false, dontFragment: true, reservedFlag: true });
  });
});
