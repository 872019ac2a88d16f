import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { CapturedFrame } from '../../../../src/cli/explain/capture/captured-frame.ts';
import { InputError } from '../../../../src/cli/input-error.ts';
import { handshake, pcap, type PcapParts } from '../frame-builder.ts';
import { readCapture, readInto } from './read-capture.ts';

const frame = handshake();

describe('a pcap file', () => {
  test.each<[string, PcapParts, bigint]>([
    ['little endian, microseconds', {}, 7_000_003_000n],
    ['big endian, microseconds', { littleEndian: false }, 7_000_003_000n],
    ['little endian, nanoseconds', { magic: 0xa1b23c4d }, 7_000_000_003n],
    ['big endian, nanoseconds', { magic: 0xa1b23c4d, littleEndian: false }, 7_000_000_003n],
    ["little endian, Kuznetzov's", { magic: 0xa1b2cd34, frameHeaderBytes: 24 }, 7_000_003_000n],
    [
      "big endian, Kuznetzov's",
      { magic: 0xa1b2cd34, frameHeaderBytes: 24, littleEndian: false },
      7_000_003_000n,
    ],
  ])('%s, whole and in pieces', (_, parts, timeNs) => {
    const file = pcap([{ bytes: frame, seconds: 7, fraction: 3 }, { bytes: frame }], parts);
    for (const pieceBytes of [file.length, 1, 7, 200]) {
      const frames = readCapture(file, pieceBytes);
      expect(frames.map(({ index, frameBytes }) => [index, frameBytes])).toEqual([
        [0, frame.length],
        [1, frame.length],
      ]);
      expect(frames[0]?.timeNs).toBe(timeNs);
      expect(frames[1]?.bytes).toEqual(frame);
    }
  });

  test('link types with a frame check sequence noted in the upper bits are Ethernet all the same', () => {
    expect(readCapture(pcap([{ bytes: frame }], { linkType: 0x24000001 }))).toHaveLength(1);
  });

  test('tells a frame that was cut short by the capture, and takes one of no bytes', () => {
    const frames = [{ bytes: frame.subarray(0, 60), frameBytes: frame.length }, { bytes: new Uint8Array() }];
    expect(readCapture(pcap(frames))).toMatchObject([
      { frameBytes: frame.length, bytes: frame.subarray(0, 60) },
      { frameBytes: 0, bytes: new Uint8Array() },
    ]);
  });

  test('a capture without frames is no error', () => {
    expect(readCapture(pcap([]))).toEqual([]);
  });

  test('a file that ends within a frame gives the frames before it, then says so', () => {
    const file = pcap([{ bytes: frame }, { bytes: frame }]);
    for (const cut of [1, frame.length, frame.length + 5]) {
      const seen: CapturedFrame[] = [];
      expect(() => readInto(seen, file.subarray(0, file.length - cut), 33)).toThrow(
        'the file ends within frame 2',
      );
      expect(seen.map(({ index }) => index)).toEqual([0]);
    }
  });

  test.each<[string, Uint8Array, string]>([
    ['an empty file', new Uint8Array(0), 'the file is empty'],
    ['two bytes', Uint8Array.of(0xd4, 0xc3), 'not a capture'],
    ['text', Buffer.from('apiVersion: vmnetwork.io/v1alpha1'), 'not a capture'],
    ['half a header', pcap([]).subarray(0, 20), 'the file ends within its header'],
    ['tcpdump -i any', pcap([], { linkType: 276 }), 'Linux "cooked" (link type 276) instead of Ethernet'],
    ['a tunnel', pcap([], { linkType: 101 }), 'raw IP (link type 101) instead of Ethernet (link type 1)'],
    ['USB', pcap([], { linkType: 249 }), 'link type 249 instead of Ethernet (link type 1)'],
    ['a claim of 4 GB', pcap([{ bytes: frame, frameBytes: 0xffffffff }]), 'the file is damaged'],
    ['more captured than sent', pcap([{ bytes: frame, frameBytes: 3 }]), 'the file is damaged'],
    ['a frame of 256 KiB and a byte', pcap([{ bytes: new Uint8Array(262_145) }]), 'more than 262144'],
    ['gzip', Uint8Array.of(0x1f, 0x8b, 8, 0), 'compressed by gzip'],
    ['zstd', Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd), 'compressed by zstd'],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => readCapture(bytes)).toThrow(message);
    expect(() => readCapture(bytes)).toThrow(InputError);
  });

  test('takes a frame of 256 KiB', () => {
    expect(readCapture(pcap([{ bytes: new Uint8Array(262_144) }]), 65_536)[0]?.bytes).toHaveLength(262_144);
  });

  test('never throws anything but InputError, however it is damaged', () => {
    const file = pcap([{ bytes: frame }, { bytes: frame.subarray(0, 20) }]);
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.nat(255), fc.nat(file.length), (at, value, length) => {
        const damaged = Uint8Array.from(file);
        damaged[at] = value;
        try {
          readCapture(damaged.subarray(0, length), 64);
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
