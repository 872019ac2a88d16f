import { describe, expect, test } from '@jest/globals';
import { parseFrame, type ParsedFrame } from '../../src/native/verdict.ts';
import { arpRequest, CAST, fromGuest, GUEST_PORT, STRANGER, type Twist } from '../support/frames/cast.ts';
import * as frames from '../support/frames/index.ts';

const send = (twist?: Twist): Uint8Array => fromGuest(CAST, twist);
const { endpoint, guestAddress, guestMac, gatewayMac } = CAST;

/** The headers of a frame that can be read. */
function parsed(frame: Uint8Array): ParsedFrame {
  const result = parseFrame(frame);
  if ('failure' in result) throw new Error(`not parsed: ${result.failure}`);
  return result;
}

/** The failure of one that cannot, and what was read before it. */
function failed(frame: Uint8Array): { failure: string; frame?: ParsedFrame } {
  const result = parseFrame(frame);
  if (!('failure' in result)) throw new Error(`parsed: ${JSON.stringify(result)}`);
  expect(result.failure).toMatch(/^([A-Z][a-z]+)+$/); // a name of vmn/parse.h
  return result;
}

describe('Ethernet', () => {
  const ends = { destination: gatewayMac, source: guestMac };

  test('[EF-1] IPv4, ARP and IPv6: MACs, EtherType, and the payload by its place in the frame', () => {
    expect(parsed(send())).toMatchObject({ ...ends, etherType: 0x0800, kind: 'IPv4', payloadOffset: 14 });
    expect(parsed(arpRequest(CAST))).toMatchObject({
      destination: 'ff:ff:ff:ff:ff:ff',
      source: guestMac,
      etherType: 0x0806,
      kind: 'ARP',
      payloadOffset: 14,
    });
    const packet = frames.ipv6({ source: 'fe80::1', destination: 'fe80::2', nextHeader: 59 });
    const frame = frames.ethernet({ ...ends, etherType: frames.EtherType.ipv6, payload: packet });
    expect(parsed(frame)).toMatchObject({ ...ends, etherType: 0x86dd, kind: 'IPv6', payloadOffset: 14 });
  });

  test('[EF-1] every bit of the two addresses and the type is read from its place', () => {
    for (let bit = 0; bit < 14 * 8; bit += 1) {
      const frame = new Uint8Array(64);
      frame[bit >>> 3] = 0x80 >>> (bit & 7);
      const result = parseFrame(frame);
      const seen = 'failure' in result ? result.frame : result;
      const hex = (from: number, to: number): string => Buffer.from(frame.subarray(from, to)).toString('hex');
      expect(seen?.destination.replaceAll(':', '')).toBe(hex(0, 6));
      expect(seen?.source.replaceAll(':', '')).toBe(hex(6, 12));
      expect(seen?.etherType).toBe(Number.parseInt(hex(12, 14), 16));
    }
  });

  test('[EF-1] the frame itself is left alone', () => {
    const frame = send();
    const before = Uint8Array.from(frame);
    parseFrame(frame);
    expect(frame).toEqual(before);
  });

  test('[EF-1] a view into a larger buffer is read from its own beginning', () => {
    const frame = send();
    const buffer = frames.concat(new Uint8Array(33).fill(0xee), frame, new Uint8Array(9).fill(0xee));
    expect(parseFrame(buffer.subarray(33, 33 + frame.length))).toEqual(parseFrame(frame));
  });

  test.each(Array.from({ length: 14 }, (_, length) => length))(
    '[EF-2] %i bytes: a typed failure, no throw',
    (length) => {
      expect(failed(send().subarray(0, length))).toEqual({ failure: 'FrameTooShort' });
    },
  );

  test('[EF-2] no frame, cut anywhere, makes it throw', () => {
    const options = frames.Ipv4Option.recordRoute('0.0.0.0');
    for (const frame of [send(), send({ ip: { options } }), arpRequest(CAST)]) {
      for (let length = 0; length <= frame.length; length += 1)
        expect(parseFrame(frame.subarray(0, length))).toBeDefined();
    }
  });

  test('[EF-3] a header with nothing behind it is valid, its payload empty', () => {
    const frame = frames.ethernet({ ...ends, etherType: frames.EtherType.localExperimental });
    expect(frame.length).toBe(14);
    const result = parsed(frame);
    expect(result).toMatchObject({ ...ends, etherType: 0x88b5, kind: 'unknown', payloadOffset: 14 });
    expect(frame.subarray(result.payloadOffset).length).toBe(0);
  });

  test('[EF-3] and where the payload is missed the header is still told', () => {
    const result = failed(send().subarray(0, 14));
    expect(result.frame).toMatchObject({ ...ends, etherType: 0x0800, payloadOffset: 14 });
  });

  test.each([
    ['802.1Q', frames.tagged(send(), { vlan: 5 }), 0x8100, 'VLAN'],
    ['802.1ad', frames.tagged(send(), { tpid: 0x88a8, vlan: 5 }), 0x88a8, 'VLAN'],
    ['QinQ', frames.tagged(send(), { tpid: 0x88a8, vlan: 5 }, { vlan: 6 }), 0x88a8, 'VLAN'],
    ['LLDP', frames.ethernet({ ...ends, etherType: 0x88cc, payload: frames.pattern(20) }), 0x88cc, 'unknown'],
    ['the least EtherType', frames.ethernet({ ...ends, etherType: 0x0600 }), 0x0600, 'unknown'],
    ['the largest EtherType', frames.ethernet({ ...ends, etherType: 0xffff }), 0xffff, 'unknown'],
    [
      'an 802.3 length',
      frames.ethernet({ ...ends, etherType: 38, payload: frames.pattern(38) }),
      38,
      '802.3',
    ],
    [
      'the largest 802.3 length',
      frames.ethernet({ ...ends, etherType: 1500, payload: frames.pattern(1500) }),
      1500,
      '802.3',
    ],
  ])('[EF-5] %s is reported as what it is', (_, frame, etherType, kind) => {
    const result = parsed(frame);
    expect(result).toMatchObject({ etherType, kind });
    // Only what is under a tag is read, so that a dropped frame can still be shown.
    expect(result.ipv4 !== undefined).toBe(kind === 'VLAN');
    expect(result.udp !== undefined).toBe(kind === 'VLAN');
  });
});

describe('ARP', () => {
  test('[EF-1] the fields of a request', () => {
    expect(parsed(arpRequest(CAST)).arp).toEqual({
      operation: 1,
      senderMac: guestMac,
      senderAddress: guestAddress,
      targetMac: '00:00:00:00:00:00',
      targetAddress: CAST.gatewayAddress,
    });
  });
});

describe('IPv4', () => {
  const between = { source: guestAddress, destination: endpoint.address };

  test('[IP-1] UDP', () => {
    const { ipv4, udp, tcp } = parsed(send());
    expect(ipv4).toMatchObject({
      ...between,
      protocol: 17,
      headerBytes: 20,
      totalBytes: 60,
      ttl: 64,
      payloadOffset: 34,
    });
    expect(udp).toEqual({
      sourcePort: GUEST_PORT,
      destinationPort: endpoint.port,
      payloadOffset: 42,
      udpBytes: 40,
    });
    expect(tcp).toBeUndefined();
  });

  test('[IP-1] TCP', () => {
    const payload = frames.tcp({
      ...between,
      sourcePort: 50000,
      destinationPort: 443,
      payload: frames.pattern(5),
    });
    const { ipv4, udp, tcp } = parsed(send({ ip: { protocol: frames.Protocol.tcp, payload } }));
    expect(ipv4).toMatchObject({ ...between, protocol: 6, payloadOffset: 34 });
    expect(tcp).toMatchObject({ sourcePort: 50000, destinationPort: 443 });
    expect(udp).toBeUndefined();
  });

  test('[IP-1] ICMP has no ports', () => {
    const payload = frames.icmp(frames.IcmpType.echoRequest, 0, frames.pattern(12));
    const { ipv4, udp, tcp } = parsed(send({ ip: { protocol: frames.Protocol.icmp, payload } }));
    expect(ipv4).toMatchObject({ ...between, protocol: 1, payloadOffset: 34 });
    expect([udp, tcp]).toEqual([undefined, undefined]);
  });

  test('[IP-1] addresses and ports whose every byte differs', () => {
    const twist = {
      ip: { source: '1.2.3.4', destination: '250.251.252.253' },
      udp: { sourcePort: 0x0102, destinationPort: 0xfeff },
    };
    const { ipv4, udp } = parsed(send(twist));
    expect(ipv4).toMatchObject({ source: '1.2.3.4', destination: '250.251.252.253' });
    expect(udp).toMatchObject({ sourcePort: 0x0102, destinationPort: 0xfeff });
  });

  test.each([6, 7, 8, 9, 10, 11, 12, 13, 14, 15])(
    '[IP-2] IHL %i: payload and ports behind the options',
    (headerWords) => {
      const options = new Uint8Array((headerWords - 5) * 4).fill(1);
      const { ipv4, udp } = parsed(send({ ip: { options } }));
      const payloadOffset = 14 + headerWords * 4;
      expect(ipv4).toMatchObject({ ...between, headerBytes: headerWords * 4, payloadOffset });
      expect(udp).toMatchObject({
        sourcePort: GUEST_PORT,
        destinationPort: endpoint.port,
        payloadOffset: payloadOffset + 8,
      });
    },
  );

  test.each(Array.from({ length: 20 }, (_, kept) => kept))('[IP-3] %i bytes of header', (kept) => {
    expect(failed(send().subarray(0, 14 + kept)).frame?.ipv4).toBeUndefined();
  });

  test.each([0, 1, 2, 3, 4])('[IP-3] IHL %i', (headerWords) => {
    expect(failed(send({ ip: { headerWords } })).failure).toBe('IpHeaderLength');
  });

  test('[IP-3] IHL past the end of the frame, by one word and by all', () => {
    const empty = { udp: { payload: new Uint8Array() } };
    expect(failed(send({ ...empty, ip: { headerWords: 8 } })).failure).toBe('IpHeaderLength');
    expect(failed(send({ ...empty, ip: { headerWords: 15 } })).failure).toBe('IpHeaderLength');
    expect('failure' in parseFrame(send({ ...empty, ip: { headerWords: 7 } }))).toBe(true); // then there is no room for UDP
  });

  test.each([0, 1, 19])('[IP-3] total length %i, less than the header', (totalLength) => {
    expect(failed(send({ ip: { totalLength } })).failure).toBe('IpTotalLength');
  });

  test('[IP-3] total length less than a header with options', () => {
    const options = new Uint8Array(8).fill(1);
    expect(failed(send({ ip: { options, totalLength: 27 } })).failure).toBe('IpTotalLength');
    expect(failed(send({ ip: { options, totalLength: 20 } })).failure).toBe('IpTotalLength');
  });

  test.each([61, 1500, 65535])('[IP-3] total length %i, more than the frame', (totalLength) => {
    expect(failed(send({ ip: { totalLength } })).failure).toBe('IpTotalLength');
  });

  test('[IP-3] padding behind the packet is no failure and no payload', () => {
    const frame = frames.padded(send({ udp: { payload: frames.pattern(2) } }));
    expect(parsed(frame).ipv4?.totalBytes).toBe(30);
    expect(parsed(frame).udp?.udpBytes).toBe(10);
  });

  test.each([0, 1, 7, 41, 42, 65535])('[IP-4] UDP length %i in a packet with room for 40', (length) => {
    expect(failed(send({ udp: { length } })).failure).toBe('UdpLength');
  });

  test.each([0, 1, 4, 7])('[IP-4] %i bytes of UDP header in the packet', (kept) => {
    const header = frames.udp({ sourcePort: 1, destinationPort: 2 });
    const result = failed(send({ ip: { payload: header.subarray(0, kept) } }));
    expect(result.failure).toMatch(/^Udp/);
    expect(result.frame?.udp).toBeUndefined();
  });

  test('[IP-4] bytes behind the packet do not complete a UDP header', () => {
    expect(failed(send({ ip: { totalLength: 24 } })).failure).toMatch(/^Udp/);
  });

  test('[IP-5] more fragments: recognised', () => {
    const { ipv4 } = read(send({ ip: { moreFragments: true } }));
    expect(ipv4).toMatchObject({ moreFragments: true, fragmentOffset: 0, dontFragment: false });
  });

  test.each([1, 3, 185, 0x1fff])(
    '[IP-5] offset %i: recognised, and no ports read however much it looks like UDP',
    (fragmentOffset) => {
      for (const moreFragments of [true, false]) {
        const { ipv4, udp, tcp } = read(send({ ip: { fragmentOffset, moreFragments } }));
        expect(ipv4).toMatchObject({ moreFragments, fragmentOffset: fragmentOffset * 8, ...between });
        expect([udp, tcp]).toEqual([undefined, undefined]);
      }
    },
  );

  test('[IP-5] nor for TCP', () => {
    const payload = frames.tcp({ ...between, sourcePort: 1, destinationPort: endpoint.port });
    const { udp, tcp } = read(send({ ip: { fragmentOffset: 2, protocol: frames.Protocol.tcp, payload } }));
    expect([udp, tcp]).toEqual([undefined, undefined]);
  });

  test('[IP-5] do not fragment is no fragment', () => {
    const { ipv4, udp } = parsed(send({ ip: { dontFragment: true } }));
    expect(ipv4).toMatchObject({ dontFragment: true, moreFragments: false, fragmentOffset: 0 });
    expect(udp).toBeDefined();
  });

  /** What was read of a fragment, whether or not the parser calls it a failure. */
  function read(frame: Uint8Array): ParsedFrame {
    const result = parseFrame(frame);
    const seen = 'failure' in result ? result.frame : result;
    if (seen?.ipv4 === undefined) throw new Error(`not read: ${JSON.stringify(result)}`);
    return seen;
  }

  test('[IP-1] a stranger is read like anybody', () => {
    expect(parsed(send({ ip: { destination: STRANGER.address } })).ipv4?.destination).toBe(STRANGER.address);
  });
});
