/** pcapng files for tests, built block by block from the specification; right unless told otherwise. */
export class PcapngBuilder {
  readonly #littleEndian: boolean;
  readonly #blocks: Uint8Array[] = [];

  constructor(littleEndian = true) {
    this.#littleEndian = littleEndian;
  }

  section(major = 1, byteOrder = 0x1a2b3c4d): this {
    return this.block(0x0a0d0d0a, [...this.u32(byteOrder), ...this.u16(major), ...this.u16(0), ...ALL_ONES]);
  }

  interface(linkType = 1, snapBytes = 0, options: readonly number[] = []): this {
    return this.block(1, [...this.u16(linkType), ...this.u16(0), ...this.u32(snapBytes), ...options]);
  }

  /** Enhanced Packet Block. */
  packet(bytes: Uint8Array, parts: PacketParts = {}): this {
    const { interfaceId = 0, time = 0n, frameBytes = bytes.length, capturedBytes = bytes.length } = parts;
    const high = [...this.u32(interfaceId), ...this.u32(Number(time >> 32n))];
    const low = [
      ...this.u32(Number(time & 0xffffffffn)),
      ...this.u32(capturedBytes),
      ...this.u32(frameBytes),
    ];
    return this.block(6, [...high, ...low, ...padded(bytes), ...(parts.options ?? [])]);
  }

  simplePacket(bytes: Uint8Array, frameBytes = bytes.length): this {
    return this.block(3, [...this.u32(frameBytes), ...padded(bytes)]);
  }

  obsoletePacket(bytes: Uint8Array, interfaceId = 0): this {
    const head = [...this.u16(interfaceId), ...this.u16(0xffff), ...this.u32(0), ...this.u32(5)];
    return this.block(2, [...head, ...this.u32(bytes.length), ...this.u32(bytes.length), ...padded(bytes)]);
  }

  option(code: number, value: readonly number[]): number[] {
    return [...this.u16(code), ...this.u16(value.length), ...padded(Uint8Array.from(value))];
  }

  /** Any block; the lengths before and after are right unless given. */
  block(type: number, body: readonly number[], before = body.length + 12, after = before): this {
    this.#blocks.push(Uint8Array.from([...this.u32(type), ...this.u32(before), ...body, ...this.u32(after)]));
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#blocks.push(bytes);
    return this;
  }

  u16(value: number): number[] {
    const bytes = [value >>> 8, value & 0xff];
    return this.#littleEndian ? bytes.reverse() : bytes;
  }

  u32(value: number): number[] {
    const bytes = [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
    return this.#littleEndian ? bytes.reverse() : bytes;
  }

  get bytes(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.#blocks));
  }
}

export interface PacketParts {
  readonly interfaceId?: number;
  readonly time?: bigint;
  readonly frameBytes?: number;
  readonly capturedBytes?: number;
  readonly options?: readonly number[];
}

/** "Length of the section: not told." */
const ALL_ONES = new Array<number>(8).fill(0xff);

function padded(bytes: Uint8Array): number[] {
  return [...bytes, ...new Array<number>((4 - (bytes.length % 4)) % 4).fill(0)];
}
