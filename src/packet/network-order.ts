/**
 * Numbers in network byte order (big-endian) in a frame. The caller has checked the bounds: reading past the end is a
 * fault of our own and throws RangeError.
 */
export function readU8(bytes: Uint8Array, offset: number): number {
  const value = bytes[offset];
  if (value === undefined) throw new RangeError(`byte ${offset} of ${bytes.length}`);
  return value;
}

export function readU16(bytes: Uint8Array, offset: number): number {
  return (readU8(bytes, offset) << 8) | readU8(bytes, offset + 1);
}

export function readU32(bytes: Uint8Array, offset: number): number {
  return readU16(bytes, offset) * 0x10000 + readU16(bytes, offset + 2);
}

/** Builds bytes in the order in which a header lists its fields. */
export class ByteWriter {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(length: number) {
    this.#bytes = new Uint8Array(length);
  }

  u8(value: number): this {
    this.#bytes[this.#at] = value;
    this.#at += 1;
    return this;
  }

  u16(value: number): this {
    return this.u8(value >>> 8).u8(value & 0xff);
  }

  u32(value: number): this {
    return this.u16(value >>> 16).u16(value & 0xffff);
  }

  raw(bytes: Uint8Array): this {
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  /** @throws RangeError unless every byte was written. */
  finish(): Uint8Array {
    if (this.#at !== this.#bytes.length) throw new RangeError(`${this.#at} of ${this.#bytes.length} bytes`);
    return this.#bytes;
  }
}
