/** Joins byte strings. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** One byte. */
export function u8(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff);
}

/** Two bytes in network order. */
export function u16(value: number): Uint8Array {
  return Uint8Array.of((value >>> 8) & 0xff, value & 0xff);
}

/** Four bytes in network order. */
export function u32(value: number): Uint8Array {
  return concat(u16(value >>> 16), u16(value));
}

/** Bytes with a recognisable pattern, so that a shifted or truncated payload shows. */
export function pattern(length: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + seed) & 0xff);
}

/** A copy with some bytes replaced, for damage that no builder offers. */
export function patched(bytes: Uint8Array, offset: number, replacement: readonly number[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy.set(replacement, offset);
  return copy;
}
