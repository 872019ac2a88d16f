import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { frameMacs, summariseFrame } from '../../../src/packet/summary/frame-summary.ts';
import { arp, ethernet, handshake, ipv4, udp, wireGuard } from '../cli/frame-builder.ts';

const overIpv4 = (payload: number[], protocol: number): Uint8Array => ethernet(ipv4(payload, { protocol }));
const tcpHeader = (flags: number): number[] => [
  0xa0,
  0x28,
  0x01,
  0xbb,
  0,
  0,
  0,
  1,
  0,
  0,
  0,
  0,
  0x50,
  flags,
  0,
  0,
  0,
  0,
  0,
  0,
];
const ipv6 = (nextHeader: number, payload: number[]): Uint8Array => {
  const from = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1];
  const to = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
  return ethernet([0x60, 0, 0, 0, 0, payload.length, nextHeader, 255, ...from, ...to, ...payload], {
    etherType: 0x86dd,
  });
};

const CASES: readonly [string, Uint8Array, string][] = [
  [
    'handshake',
    handshake(),
    'IPv4 100.64.0.5:41000 > 203.0.113.10:51900 UDP 148 bytes WireGuard handshake initiation',
  ],
  [
    'response',
    ethernet(ipv4(udp(wireGuard(2, 92)))),
    'IPv4 100.64.0.5:41000 > 203.0.113.10:51900 UDP 92 bytes WireGuard handshake response',
  ],
  [
    'cookie',
    ethernet(ipv4(udp(wireGuard(3, 64)))),
    'IPv4 100.64.0.5:41000 > 203.0.113.10:51900 UDP 64 bytes WireGuard cookie reply',
  ],
  [
    'keepalive',
    ethernet(ipv4(udp(wireGuard(4, 32)))),
    'IPv4 100.64.0.5:41000 > 203.0.113.10:51900 UDP 32 bytes WireGuard keepalive',
  ],
  [
    'data',
    ethernet(ipv4(udp(wireGuard(4, 96)))),
    'IPv4 100.64.0.5:41000 > 203.0.113.10:51900 UDP 96 bytes WireGuard transport data',
  ],
  [
    'wrong length',
    ethernet(ipv4(udp(wireGuard(1, 147)))),
    'IPv4 100.64.0.5:41000 > 203.0.113.10:51900 UDP 147 bytes',
  ],
  [
    'reserved set',
    ethernet(ipv4(udp([1, 1, ...wireGuard(0, 146)]))),
    'IPv4 100.64.0.5:41000 > 203.0.113.10:51900 UDP 148 bytes',
  ],
  [
    'DNS',
    ethernet(ipv4(udp([1, 2, 3], 5000, 53), { to: '8.8.8.8' })),
    'IPv4 100.64.0.5:5000 > 8.8.8.8:53 UDP 3 bytes DNS',
  ],
  [
    'DHCP',
    ethernet(ipv4(udp([1], 68, 67), { from: '0.0.0.0', to: '255.255.255.255' })),
    'IPv4 0.0.0.0:68 > 255.255.255.255:67 UDP 1 bytes DHCP',
  ],
  [
    'UDP length',
    ethernet(ipv4(udp([1], 1, 2, 700))),
    'IPv4 100.64.0.5:1 > 203.0.113.10:2 UDP, length field 700 of 9 bytes',
  ],
  ['UDP header cut', overIpv4([1, 2, 3], 17), 'IPv4 100.64.0.5 > 203.0.113.10 UDP 3 bytes'],
  ['TCP', overIpv4(tcpHeader(2), 6), 'IPv4 100.64.0.5:41000 > 203.0.113.10:443 TCP 0 bytes SYN'],
  ['TCP flags', overIpv4(tcpHeader(0x12), 6), 'IPv4 100.64.0.5:41000 > 203.0.113.10:443 TCP 0 bytes SYN,ACK'],
  ['ping', overIpv4([8, 0, 0, 0, 0, 1, 0, 1], 1), 'IPv4 100.64.0.5 > 203.0.113.10 ICMP echo request'],
  ['ICMP rare', overIpv4([17, 3, 0, 0], 1), 'IPv4 100.64.0.5 > 203.0.113.10 ICMP type 17 code 3'],
  ['GRE', overIpv4([0, 0, 8, 0], 47), 'IPv4 100.64.0.5 > 203.0.113.10 GRE 4 bytes'],
  ['protocol 200', overIpv4([0], 200), 'IPv4 100.64.0.5 > 203.0.113.10 protocol 200 1 bytes'],
  [
    'first fragment',
    ethernet(ipv4(udp([1]), { fragment: 0x2000 })),
    'IPv4 100.64.0.5 > 203.0.113.10 fragment at 0 UDP',
  ],
  [
    'last fragment',
    ethernet(ipv4([1, 2], { fragment: 3 })),
    'IPv4 100.64.0.5 > 203.0.113.10 last fragment at 24 UDP',
  ],
  [
    'options',
    ethernet(ipv4(udp([9]), { options: [0x83, 3, 4, 0] })),
    'IPv4 with 4 bytes of options 100.64.0.5:41000 > 203.0.113.10:51900 UDP 1 bytes',
  ],
  [
    'total length',
    ethernet(ipv4([], { totalLength: 900 })),
    'IPv4 100.64.0.5 > 203.0.113.10 total length 900 of 20 bytes',
  ],
  ['version', ethernet(ipv4([], { firstByte: 0x65 })), 'IPv4 with version 6'],
  ['IHL', ethernet(ipv4([], { firstByte: 0x44 })), 'IPv4 with a header of 16 bytes'],
  ['short IPv4', ethernet([0x45, 0]), 'IPv4 cut short, 2 bytes'],
  ['ARP request', arp(), 'ARP who has 169.254.1.1, asks 100.64.0.5 at 02:76:11:22:33:44'],
  ['ARP reply', arp({ operation: 2 }), 'ARP 100.64.0.5 is at 02:76:11:22:33:44'],
  ['gratuitous', arp({ targetAddress: '100.64.0.5' }), 'ARP announce 100.64.0.5 is at 02:76:11:22:33:44'],
  ['ARP odd', arp({ operation: 9 }), 'ARP operation 9'],
  ['ARP short', ethernet([0, 1, 8, 0], { etherType: 0x0806 }), 'ARP malformed'],
  [
    'router solicitation',
    ipv6(58, [133, 0, 0, 0]),
    'IPv6 fe80::ff:fe00:1 > ff02::2 ICMPv6 router solicitation',
  ],
  [
    'IPv6 UDP',
    ipv6(17, udp([1, 2], 546, 547)),
    'IPv6 [fe80::ff:fe00:1]:546 > [ff02::2]:547 UDP 2 bytes DHCPv6',
  ],
  ['IPv6 short', ethernet([0x60], { etherType: 0x86dd }), 'IPv6 cut short, 1 bytes'],
  [
    'VLAN',
    ethernet([0x20, 5, 8, 0, ...ipv4(udp([1]))], { etherType: 0x8100 }),
    'VLAN 5, IPv4 100.64.0.5:41000 > 203.0.113.10:51900 UDP 1 bytes',
  ],
  [
    'QinQ',
    ethernet([0, 7, 0x81, 0, 0, 8, 0x88, 0xcc, 1], { etherType: 0x88a8 }),
    'QinQ 7, VLAN 8, LLDP (EtherType 0x88cc), 1 bytes',
  ],
  ['VLAN short', ethernet([0], { etherType: 0x8100 }), 'VLAN, cut short'],
  ['LLDP', ethernet([1, 2, 3], { etherType: 0x88cc }), 'LLDP (EtherType 0x88cc), 3 bytes'],
  ['unknown', ethernet([1], { etherType: 0x1234 }), 'EtherType 0x1234, 1 bytes'],
  ['802.3', ethernet([0x42, 0x42, 3], { etherType: 3 }), '802.3 length 3, 3 bytes'],
  ['short', Uint8Array.of(1, 2), '2 bytes, too short for Ethernet'],
  ['empty', Uint8Array.of(), '0 bytes, too short for Ethernet'],
];

describe('summariseFrame', () => {
  test.each(CASES)('%s', (_, frame, summary) => {
    expect(summariseFrame(frame)).toBe(summary);
  });

  test('tells the length on the wire when only the head is at hand', () => {
    const frame = handshake();
    expect(summariseFrame(frame.subarray(0, 64), frame.length)).toBe(summariseFrame(frame));
    expect(summariseFrame(frame.subarray(0, 20), frame.length)).toBe('IPv4, capture cut short');
  });

  test('is one line of printable ASCII for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.nat(3000), (bytes, more) => {
        expect(summariseFrame(bytes, bytes.length + more)).toMatch(/^[ -~]+$/);
      }),
      { numRuns: 2000 },
    );
  });

  test('is printable for damaged real frames', () => {
    const frames = CASES.map(([, frame]) => frame);
    const damage = fc.record({
      frame: fc.constantFrom(...frames),
      at: fc.nat(200),
      value: fc.nat(255),
      cut: fc.nat(200),
    });
    fc.assert(
      fc.property(damage, ({ frame, at, value, cut }) => {
        const bytes = Uint8Array.from(frame.subarray(0, cut));
        if (at < bytes.length) bytes[at] = value;
        expect(summariseFrame(bytes, frame.length)).toMatch(/^[ -~]+$/);
      }),
      { numRuns: 2000 },
    );
  });
});

test('frameMacs gives both, or null for a frame cut before them', () => {
  expect(frameMacs(handshake())).toEqual({ source: '02:76:11:22:33:44', destination: '02:76:6d:6e:00:01' });
  expect(frameMacs(Uint8Array.of(1))).toBeNull();
});
