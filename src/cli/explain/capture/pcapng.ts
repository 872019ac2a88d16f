import { ByteQueue } from './byte-queue.ts';
import { type CapturedFrame, MAX_FRAME_BYTES } from './captured-frame.ts';
import { type CaptureParser, cutOff, damaged } from './capture-parser.ts';
import { checkLengths } from './classic-pcap.ts';
import { demandEthernet } from './link-type.ts';
import { type CaptureInterface, parseInterface, timeOf } from './pcapng-interface.ts';

/*
 * The capture format of Wireshark (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html): blocks, each
 * framed by its length before and after. A section begins with its byte order and describes its interfaces; frames name
 * the interface that they were seen on. Blocks of other kinds (names, statistics, keys, comments) are passed over, however
 * long they are.
 */

export const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
/** Obsolete since 2004, still written by some. */
const PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
const READ: ReadonlySet<number> = new Set([
  SECTION_HEADER,
  INTERFACE_DESCRIPTION,
  PACKET,
  SIMPLE_PACKET,
  ENHANCED_PACKET,
]);

const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Type, length, first four bytes of the body or, in the shortest block, the length again. */
const LEAST_BLOCK_BYTES = 12;
/** A frame, and room for comments on it. */
const MAX_READ_BYTES = MAX_FRAME_BYTES + 131_072;
const MAX_INTERFACES = 4096;

export class PcapngParser implements CaptureParser {
  readonly #name: string;
  readonly #queue = new ByteQueue();
  #littleEndian = false;
  #interfaces: CaptureInterface[] = [];
  #index = 0;
  /** What is left of a block that is passed over, but for its trailing length; and that length. */
  #skipping: { left: number; blockBytes: number } | null = null;

  /** @param name of the file, for errors */
  constructor(name: string) {
    this.#name = name;
  }

  *push(bytes: Uint8Array): Generator<CapturedFrame, void, undefined> {
    this.#queue.push(bytes);
    for (;;) {
      const block = this.#nextBlock();
      if (block === null) return;
      const frame = this.#read(block);
      if (frame !== null) yield frame;
    }
  }

  end(): void {
    if (this.#queue.length > 0 || this.#skipping !== null)
      throw cutOff(this.#name, `the block behind frame ${this.#index}`);
  }

  /** The next block of a kind that is read, from type to trailing length; null when it is not here yet. */
  #nextBlock(): DataView | null {
    for (;;) {
      if (this.#skipping !== null && !this.#skip(this.#skipping)) return null;
      const head = this.#queue.peek(LEAST_BLOCK_BYTES);
      if (head === null) return null;
      const type = this.#typeOf(head);
      const blockBytes = head.getUint32(4, this.#littleEndian);
      if (blockBytes < LEAST_BLOCK_BYTES || blockBytes % 4 !== 0)
        throw this.#damaged(`claims ${blockBytes} bytes`);
      if (!READ.has(type)) {
        this.#skipping = { left: blockBytes - 4, blockBytes };
        continue;
      }
      if (blockBytes > MAX_READ_BYTES) throw this.#damaged(`claims ${blockBytes} bytes`);
      const bytes = this.#queue.take(blockBytes);
      if (bytes === null) return null;
      const block = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.#checkTrailer(block.getUint32(blockBytes - 4, this.#littleEndian), blockBytes);
      return block;
    }
  }

  /** Reads the byte order, too, where a section begins: its type reads the same either way. */
  #typeOf(head: DataView): number {
    if (head.getUint32(0) !== SECTION_HEADER) return head.getUint32(0, this.#littleEndian);
    this.#littleEndian = head.getUint32(8, true) === BYTE_ORDER_MAGIC;
    if (head.getUint32(8, this.#littleEndian) !== BYTE_ORDER_MAGIC) throw this.#damaged('has no byte order');
    return SECTION_HEADER;
  }

  #skip(skipping: { left: number; blockBytes: number }): boolean {
    skipping.left -= this.#queue.skip(skipping.left);
    if (skipping.left > 0) return false;
    const trailer = this.#queue.peek(4);
    if (trailer === null) return false;
    this.#checkTrailer(trailer.getUint32(0, this.#littleEndian), skipping.blockBytes);
    this.#queue.skip(4);
    this.#skipping = null;
    return true;
  }

  #checkTrailer(found: number, blockBytes: number): void {
    if (found !== blockBytes) throw this.#damaged(`says ${blockBytes} bytes before and ${found} after`);
  }

  #read(block: DataView): CapturedFrame | null {
    switch (block.getUint32(0, this.#littleEndian)) {
      case SECTION_HEADER:
        this.#section(block);
        return null;
      case INTERFACE_DESCRIPTION:
        this.#interface(block);
        return null;
      case ENHANCED_PACKET:
        return this.#timed(block, this.#u32(block, 8));
      case PACKET:
        return this.#timed(block, block.getUint16(8, this.#littleEndian));
      default:
        return this.#untimed(block);
    }
  }

  #section(block: DataView): void {
    const major = block.byteLength < 28 ? -1 : block.getUint16(12, this.#littleEndian);
    if (major !== 1) throw this.#damaged('is a section of an unknown version');
    this.#interfaces = [];
  }

  #interface(block: DataView): void {
    const found = parseInterface(block, this.#littleEndian);
    if (found === null) throw this.#damaged('describes an interface and is cut short');
    if (this.#interfaces.length === MAX_INTERFACES) throw this.#damaged('is one interface too many');
    this.#interfaces.push(found);
  }

  /** Interface, time in two halves, captured length, length on the wire, bytes. */
  #timed(block: DataView, interfaceId: number): CapturedFrame {
    const seenOn = this.#seenOn(interfaceId);
    const units = (BigInt(this.#u32(block, 12)) << 32n) | BigInt(this.#u32(block, 16));
    return this.#frame(block, 28, this.#u32(block, 20), this.#u32(block, 24), timeOf(seenOn, units));
  }

  /** Length on the wire and bytes; the first interface tells how many. */
  #untimed(block: DataView): CapturedFrame {
    const { snapBytes } = this.#seenOn(0);
    const frameBytes = this.#u32(block, 8);
    const capturedBytes = snapBytes === 0 ? frameBytes : Math.min(snapBytes, frameBytes);
    return this.#frame(block, 12, capturedBytes, frameBytes, null);
  }

  #frame(
    block: DataView,
    start: number,
    capturedBytes: number,
    frameBytes: number,
    timeNs: bigint | null,
  ): CapturedFrame {
    checkLengths(this.#name, this.#index, capturedBytes, frameBytes);
    if (start + capturedBytes > block.byteLength - 4) throw this.#damaged('is shorter than its frame');
    const bytes = new Uint8Array(block.buffer, block.byteOffset + start, capturedBytes);
    return { index: this.#index++, timeNs, bytes, frameBytes };
  }

  #seenOn(id: number): CaptureInterface {
    const found = this.#interfaces[id];
    if (found === undefined) throw this.#damaged(`names interface ${id}, of ${this.#interfaces.length}`);
    demandEthernet(found.linkType, this.#name, `frame ${this.#index + 1} is from an interface with `);
    return found;
  }

  #u32(block: DataView, at: number): number {
    if (at + 8 > block.byteLength) throw this.#damaged('is cut short');
    return block.getUint32(at, this.#littleEndian);
  }

  #damaged(what: string): Error {
    return damaged(this.#name, `the block behind frame ${this.#index} ${what}`);
  }
}
