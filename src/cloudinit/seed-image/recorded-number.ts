/** Writes `value` in both byte orders, little endian first: 4 bytes (ECMA-119 7.2.3). */
export function recordBoth16(target: Buffer, value: number, at: number): void {
  target.writeUInt16LE(value, at);
  target.writeUInt16BE(value, at + 2);
}

/** Writes `value` in both byte orders, little endian first: 8 bytes (ECMA-119 7.3.3). */
export function recordBoth32(target: Buffer, value: number, at: number): void {
  target.writeUInt32LE(value, at);
  target.writeUInt32BE(value, at + 4);
}
