import { ByteQueue } from './byte-queue.ts';
import { type CapturedFrame, MAX_FRAME_BYTES } from './captured-frame.ts';
import { type CaptureParser, cutOff, damaged } from './capture-parser.ts';
import { demandEthernet } from './link-type.ts';

/*
 * The classic capture format (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html): a 24-byte file header,
 * then for each frame a header and the bytes captured. Byte order, time unit and length of the frame header follow from
 * the magic number.
 */

const FILE_HEADER_BYTES = 24;
const FRAME_HEADER_BYTES = 16;
/** Kuznetzov's variant, written by some Linux distributions of old: interface, protocol and packet type follow. */
const LONG_FRAME_HEADER_BYTES = 24;

interface Variant {
  readonly littleEndian: boolean;
  readonly nsPerUnit: bigint;
  readonly frameHeaderBytes: number;
}

const MICROSECONDS = { nsPerUnit: 1000n, frameHeaderBytes: FRAME_HEADER_BYTES };
const NANOSECONDS = { nsPerUnit: 1n, frameHeaderBytes: FRAME_HEADER_BYTES };
const KUZNETZOV = { nsPerUnit: 1000n, frameHeaderBytes: LONG_FRAME_HEADER_BYTES };

/** By magic number, as it stands in the file. */
const VARIANTS: Readonly<Record<number, Variant>> = {
  0xa1b2c3d4: { ...MICROSECONDS, littleEndian: false },
  0xd4c3b2a1: { ...MICROSECONDS, littleEndian: true },
  0xa1b23c4d: { ...NANOSECONDS, littleEndian: false },
  0x4d3cb2a1: { ...NANOSECONDS, littleEndian: true },
  0xa1b2cd34: { ...KUZNETZOV, littleEndian: false },
  0x34cdb2a1: { ...KUZNETZOV, littleEndian: true },
};

export function isPcapMagic(magic: number): boolean {
  return VARIANTS[magic] !== undefined;
}

export class PcapParser implements CaptureParser {
  readonly #name: string;
  readonly #queue = new ByteQueue();
  #variant: Variant | null = null;
  #index = 0;

  /** @param name of the file, for errors */
  constructor(name: string) {
    this.#name = name;
  }

  *push(bytes: Uint8Array): Generator<CapturedFrame, void, undefined> {
    this.#queue.push(bytes);
    this.#variant ??= this.#fileHeader();
    if (this.#variant === null) return;
    for (;;) {
      const frame = this.#frame(this.#variant);
      if (frame === null) return;
      yield frame;
    }
  }

  end(): void {
    if (this.#variant === null) throw cutOff(this.#name, 'its header');
    if (this.#queue.length > 0) throw cutOff(this.#name, `frame ${this.#index + 1}`);
  }

  #fileHeader(): Variant | null {
    const header = this.#queue.peek(FILE_HEADER_BYTES);
    if (header === null) return null;
    const variant = VARIANTS[header.getUint32(0)];
    if (variant === undefined) throw damaged(this.#name, 'not a pcap header');
    // The upper bits hold the length of a frame check sequence, if there is one.
    demandEthernet(header.getUint32(20, variant.littleEndian) & 0xffff, this.#name);
    this.#queue.skip(FILE_HEADER_BYTES);
    return variant;
  }

  #frame({ littleEndian, nsPerUnit, frameHeaderBytes }: Variant): CapturedFrame | null {
    const header = this.#queue.peek(frameHeaderBytes);
    if (header === null) return null;
    const seconds = BigInt(header.getUint32(0, littleEndian));
    const fraction = BigInt(header.getUint32(4, littleEndian));
    const capturedBytes = header.getUint32(8, littleEndian);
    const frameBytes = header.getUint32(12, littleEndian);
    checkLengths(this.#name, this.#index, capturedBytes, frameBytes);
    const record = this.#queue.take(frameHeaderBytes + capturedBytes);
    if (record === null) return null;
    const timeNs = seconds * 1_000_000_000n + fraction * nsPerUnit;
    return { index: this.#index++, timeNs, bytes: record.subarray(frameHeaderBytes), frameBytes };
  }
}

/** Throws InputError for lengths that no frame has. */
export function checkLengths(name: string, index: number, capturedBytes: number, frameBytes: number): void {
  const claims = `frame ${index + 1} claims ${capturedBytes} of ${frameBytes} bytes`;
  if (capturedBytes > frameBytes) throw damaged(name, claims);
  if (frameBytes > MAX_FRAME_BYTES) throw damaged(name, `${claims}, more than ${MAX_FRAME_BYTES}`);
}
