/** The logical sector and block of ECMA-119; every part of a volume begins at one. */
export const SECTOR_BYTES = 2048;

export function sectorsOf(bytes: number): number {
  return Math.ceil(bytes / SECTOR_BYTES);
}

/** Where a directory or a file is recorded. */
export interface Extent {
  /** Its first, counted from the beginning of the volume. */
  readonly sector: number;
  readonly bytes: number;
}

/** `parts` one after the other, filled with zeros to whole sectors. */
export function inSectors(...parts: readonly Uint8Array[]): Buffer {
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([...parts, Buffer.alloc(sectorsOf(bytes) * SECTOR_BYTES - bytes)]);
}
