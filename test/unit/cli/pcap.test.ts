import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { InputError } from '../../../src/cli/input-error.ts';
import { readPcap } from '../../../src/cli/explain/pcap.ts';
import { handshake, pcap, type PcapParts } from './frame-builder.ts';

const frame = handshake();
const read = (bytes: Uint8Array) => [...readPcap(bytes, 'tap.pcap')];

describe('readPcap', () => {
  test.each<[string, PcapParts, bigint]>([
    ['little endian, microseconds', {}, 7_000_003_000n],
    ['big endian, microseconds', { littleEndian: false }, 7_000_003_000n],
    ['little endian, nanoseconds', { magic: 0xa1b23c4d }, 7_000_000_003n],
    ['big endian, nanoseconds', { magic: 0xa1b23c4d, littleEndian: false }, 7_000_000_003n],
  ])('%s', (_, parts, timeNs) => {
    const frames = read(pcap([{ bytes: frame, seconds: 7, fraction: 3 }, { bytes: frame }], parts));
    expect(frames.map(({ number, frameBytes }) => [number, frameBytes])).toEqual([
      [1, frame.length],
      [2, frame.length],
    ]);
    expect(frames[0]?.timeNs).toBe(timeNs);
    expect(frames[1]?.bytes).toEqual(frame);
  });

  test('tells a frame that was cut short by the capture', () => {
    expect(read(pcap([{ bytes: frame.subarray(0, 60), frameBytes: frame.length }]))[0]).toMatchObject({
      frameBytes: frame.length,
      bytes: frame.subarray(0, 60),
    });
  });

  test('a capture without frames is no error', () => {
    expect(read(pcap([]))).toEqual([]);
  });

  test('a file that ends within a frame gives the frames before it, then says so', () => {
    const file = pcap([{ bytes: frame }, { bytes: frame }]);
    for (const cut of [1, frame.length, frame.length + 5]) {
      const seen: number[] = [];
      expect(() => {
        for (const { number } of readPcap(file.subarray(0, file.length - cut), 'f')) seen.push(number);
      }).toThrow('the file ends within frame 2');
      expect(seen).toEqual([1]);
    }
  });

  test.each<[string, Uint8Array, string]>([
    ['an empty file', new Uint8Array(0), 'the file is empty'],
    ['two bytes', Uint8Array.of(0xd4, 0xc3), 'not a pcap file'],
    ['text', Buffer.from('apiVersion: vmnetwork.io/v1alpha1'), 'not a pcap file'],
    ['half a header', pcap([]).subarray(0, 20), 'the file header is cut off'],
    ['pcapng', Uint8Array.of(0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 0), 'this is a pcapng file'],
    ['tcpdump -i any', pcap([], { linkType: 276 }), 'link type 276 instead of Ethernet (1)'],
    ['a claim of 4 GB', pcap([{ bytes: frame, frameBytes: 0xffffffff }]), 'the file is damaged'],
    ['more captured than sent', pcap([{ bytes: frame, frameBytes: 3 }]), 'the file is damaged'],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => read(bytes)).toThrow(message);
    expect(() => read(bytes)).toThrow(InputError);
  });

  test('never throws anything but InputError', () => {
    const file = pcap([{ bytes: frame }, { bytes: frame.subarray(0, 20) }]);
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.nat(255), fc.nat(file.length), (at, value, length) => {
        const damaged = Uint8Array.from(file);
        damaged[at] = value;
        try {
          read(damaged.subarray(0, length));
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
