import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { CapturedFrame } from '../../../../src/cli/explain/capture/captured-frame.ts';
import { InputError } from '../../../../src/cli/input-error.ts';
import { handshake } from '../frame-builder.ts';
import { PcapngBuilder } from './pcapng-builder.ts';
import { readCapture, readInto } from './read-capture.ts';

const frame = handshake();
const odd = frame.subarray(0, 61);
const begin = (littleEndian = true): PcapngBuilder => new PcapngBuilder(littleEndian).section().interface();

describe('a pcapng file', () => {
  test.each([
    ['little endian', true],
    ['big endian', false],
  ])('%s: each kind of packet block, whole and in pieces', (_, littleEndian) => {
    const file = begin(littleEndian)
      .packet(odd, { time: 7_000_003n })
      .simplePacket(frame)
      .obsoletePacket(odd)
      .packet(new Uint8Array()).bytes;
    for (const pieceBytes of [file.length, 1, 13, 4096]) {
      expect(readCapture(file, pieceBytes)).toEqual([
        { index: 0, timeNs: 7_000_003_000n, bytes: odd, frameBytes: 61 },
        { index: 1, timeNs: null, bytes: frame, frameBytes: frame.length },
        { index: 2, timeNs: 5_000n, bytes: odd, frameBytes: 61 },
        { index: 3, timeNs: 0n, bytes: new Uint8Array(), frameBytes: 0 },
      ]);
    }
  });

  test.each<[string, number[], bigint]>([
    ['microseconds by default', [], 3_000_000_123_000n],
    ['nanoseconds', [9, 1, 9], 3_000_000_123n],
    ['milliseconds', [9, 1, 3], 3_000_000_123_000_000n],
    ['2^-10 seconds', [9, 1, 0x8a], (3_000_000_123n * 1_000_000_000n) / 1024n],
    ['seconds before the epoch', [14, 8, -1], 2_999_000_123_000n],
  ])('timestamps: %s', (_, [code, bytes, value], timeNs) => {
    const file = new PcapngBuilder();
    const content =
      code === 14 ? new Array<number>(8).fill(0xff) : new Array<number>(bytes ?? 0).fill(value ?? 0);
    const options = code === undefined ? [] : [...file.option(code, content), ...file.option(0, [])];
    file.section().interface(1, 0, options).packet(frame, { time: 3_000_000_123n });
    expect(readCapture(file.bytes)[0]?.timeNs).toBe(timeNs);
  });

  test('a frame that was cut short, by its own word or by the snap length of its interface', () => {
    const file = new PcapngBuilder().section().interface(1, 60);
    file.packet(frame.subarray(0, 60), { frameBytes: frame.length }).simplePacket(frame.subarray(0, 60), 190);
    expect(readCapture(file.bytes).map(({ bytes, frameBytes }) => [bytes.length, frameBytes])).toEqual([
      [60, 190],
      [60, 190],
    ]);
  });

  test('other blocks are passed over, however long, and whatever is in them', () => {
    const file = begin()
      .block(4, [1, 2, 3, 4])
      .block(5, new Array<number>(40).fill(9))
      .block(0x0bad, [])
      .block(0x80000bad, new Array<number>(700_000).fill(0x0a))
      .packet(frame, { options: [1, 0, 4, 0, 104, 105, 33, 33, 0, 0, 0, 0] });
    expect(readCapture(file.bytes, 65_536)).toHaveLength(1);
  });

  test('each section has its own byte order and interfaces', () => {
    const cooked = new PcapngBuilder(false).section().interface(1).packet(odd).bytes;
    const file = begin().interface(113).packet(frame).raw(cooked).section().interface(1).packet(odd);
    expect(readCapture(file.bytes).map(({ index, frameBytes }) => [index, frameBytes])).toEqual([
      [0, frame.length],
      [1, 61],
      [2, 61],
    ]);
    expect(() => readCapture(begin().section().packet(frame).bytes)).toThrow('names interface 0, of 0');
  });

  test('an interface that is not Ethernet matters when a frame comes from it', () => {
    const file = begin().interface(113).packet(frame).packet(frame, { interfaceId: 1 });
    const seen: CapturedFrame[] = [];
    expect(() => readInto(seen, file.bytes)).toThrow(
      'frame 2 is from an interface with Linux "cooked" (link type 113) instead of Ethernet',
    );
    expect(seen).toHaveLength(1);
  });

  test.each<[string, Uint8Array, string]>([
    ['no byte order', new PcapngBuilder().section(1, 0x12345678).bytes, 'has no byte order'],
    ['version 2', new PcapngBuilder().section(2).bytes, 'unknown version'],
    [
      'a section of 12 bytes',
      new PcapngBuilder().block(0x0a0d0d0a, new PcapngBuilder().u32(0x1a2b3c4d)).bytes,
      'is damaged',
    ],
    ['an interface of 12 bytes', new PcapngBuilder().section().block(1, []).bytes, 'is cut short'],
    ['a length of 8', begin().block(6, [], 8).bytes, 'claims 8 bytes'],
    ['a length of 13', begin().block(6, [0], 13).bytes, 'claims 13 bytes'],
    ['a length of 4 GB', begin().block(6, [], 0xfffffffc).bytes, 'claims 4294967292 bytes'],
    ['two lengths', begin().block(6, [], 12, 16).bytes, 'says 12 bytes before and 16 after'],
    [
      'two lengths of what is passed over',
      begin().block(99, [], 12, 16).bytes,
      'says 12 bytes before and 16',
    ],
    ['a packet without a header', begin().block(6, []).bytes, 'is cut short'],
    ['an obsolete one', begin().block(2, []).bytes, 'is damaged'],
    ['a simple one', begin().block(3, []).bytes, 'is cut short'],
    [
      'fewer bytes than claimed',
      begin().packet(odd, { capturedBytes: 80, frameBytes: 80 }).bytes,
      'shorter than its frame',
    ],
    ['more captured than sent', begin().packet(frame, { frameBytes: 5 }).bytes, 'claims 190 of 5 bytes'],
    ['a frame of 256 KiB and a byte', begin().packet(new Uint8Array(262_145)).bytes, 'more than 262144'],
    ['an unknown interface', begin().packet(frame, { interfaceId: 1 }).bytes, 'names interface 1, of 1'],
    ['a packet before any section', Uint8Array.of(6, 0, 0, 0), 'not a capture'],
    ['half a block', begin().packet(frame).bytes.subarray(0, 100), 'the file ends within'],
    [
      'half of what is passed over',
      begin().block(99, new Array<number>(64).fill(0)).bytes.subarray(0, 80),
      'the file ends within',
    ],
  ])('refuses %s', (_, bytes, message) => {
    for (const pieceBytes of [bytes.length, 5]) {
      expect(() => readCapture(bytes, pieceBytes)).toThrow(message);
      expect(() => readCapture(bytes, pieceBytes)).toThrow(InputError);
    }
  });

  test('too many interfaces are refused, before they fill the memory', () => {
    const many = new PcapngBuilder().section();
    for (let count = 0; count <= 4096; count++) many.interface();
    expect(() => readCapture(many.bytes)).toThrow('one interface too many');
  });

  test('never throws anything but InputError, however it is damaged', () => {
    const file = begin().block(5, [1, 2, 3, 4]).packet(odd).simplePacket(odd).obsoletePacket(odd).bytes;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { maxLength: 3 }),
        fc.nat(file.length),
        fc.integer({ min: 1, max: 300 }),
        (changes, length, pieceBytes) => {
          const damaged = Uint8Array.from(file);
          for (const [at, value] of changes) damaged[at] = value;
          try {
            readCapture(damaged.subarray(0, length), pieceBytes);
          } catch (error) {
            expect(error).toBeInstanceOf(InputError);
          }
        },
      ),
      { numRuns: 5000 },
    );
  });
});
