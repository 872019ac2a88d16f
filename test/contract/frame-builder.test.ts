import { describe, expect, test } from '@jest/globals';
import { CAST, arpAnswer, fromGuest } from '../support/frames/cast.ts';
import { fromVmCases, toVmCases, reasonsOf, type FrameCase } from '../support/frames/cases/index.ts';
import { headerReasons } from '../support/frames/reasons.ts';
import * as frames from '../support/frames/index.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

// The builder judges everything else here, so it is itself held against bytes that other implementations made.
describe('frame builder', () => {
  test('the checksum of the example in RFC 1071, section 3', () => {
    const words = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
    expect(frames.internetChecksum(words)).toBe(~0xddf2 & 0xffff);
  });

  test('an IPv4 header as Linux sends it', () => {
    const packet = frames.ipv4({
      source: '192.168.0.1',
      destination: '192.168.0.199',
      protocol: frames.Protocol.udp,
      identification: 0,
      dontFragment: true,
      totalLength: 0x73,
    });
    expect(hex(packet)).toBe('4500007300004000' + '4011b861' + 'c0a80001' + 'c0a800c7');
  });

  test('a datagram as scapy builds it', () => {
    // Ether(dst="02:76:6d:6e:00:01",src="02:76:aa:bb:cc:dd")/IP(src="100.64.0.7",dst="203.0.113.10",id=0x1234)/UDP(sport=40000,dport=51900)/b"abc"
    const frame = fromGuest(CAST, { udp: { payload: new TextEncoder().encode('abc') } });
    expect(hex(frame)).toBe(SCAPY_DATAGRAM);
  });

  test('an ARP answer as scapy builds it', () => {
    // Ether(dst="02:76:aa:bb:cc:dd",src="02:76:6d:6e:00:01")/ARP(op=2,hwsrc=src,psrc="169.254.1.1",hwdst=dst,pdst="100.64.0.7")
    expect(hex(arpAnswer(CAST))).toBe(SCAPY_ANSWER);
  });

  test.each([
    ['from the VM', fromVmCases(CAST)],
    ['to the VM', toVmCases(CAST)],
  ])('the cases %s have names of their own and reasons that reason.h has', (_, cases: FrameCase[]) => {
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
    const known = headerReasons.map(({ symbol }) => symbol);
    expect(cases.flatMap(reasonsOf).filter((symbol) => !known.includes(symbol))).toEqual([]);
  });
});

const SCAPY_DATAGRAM =
  '02766d6e00010276aabbccdd08004500001f123400004011c84864400007cb00710a9c40cabc000b3426616263';
const SCAPY_ANSWER = '0276aabbccdd02766d6e00010806000108000604000202766d6e0001a9fe01010276aabbccdd64400007';
