import { recordBoth16, recordBoth32 } from './recorded-number.ts';
import { inSectors, SECTOR_BYTES, type Extent } from './sector.ts';

/** A file, or a directory, as its directory names it. */
export interface DirectoryEntry {
  readonly identifier: Uint8Array;
  readonly extent: Extent;
  readonly directory: boolean;
  /** Rock Ridge; empty in the Joliet tree. */
  readonly systemUse: Uint8Array;
}

/**
 * 1970-01-01T00:00:00Z (ECMA-119 9.1.5): the same at every writing. Zeros would say "not specified", but Linux makes a
 * day of 1899 of them.
 */
const RECORDED_AT = Buffer.of(70, 1, 1, 0, 0, 0, 0);
const FIXED_BYTES = 33;
const DIRECTORY_FLAG = 0x02;
const VOLUME_NUMBER = 1;

/** ECMA-119 9.1. Of an even length, as the identifier field is and as the record is. */
export function directoryRecord({ identifier, extent, directory, systemUse }: DirectoryEntry): Buffer {
  const systemUseAt = even(FIXED_BYTES + identifier.length);
  const record = Buffer.alloc(even(systemUseAt + systemUse.length));
  record.writeUInt8(record.length, 0); // throws above 255
  recordBoth32(record, extent.sector, 2);
  recordBoth32(record, extent.bytes, 10);
  record.set(RECORDED_AT, 18);
  record.writeUInt8(directory ? DIRECTORY_FLAG : 0, 25);
  recordBoth16(record, VOLUME_NUMBER, 28);
  record.writeUInt8(identifier.length, 32);
  record.set(identifier, FIXED_BYTES);
  record.set(systemUse, systemUseAt);
  return record;
}

/** Whole sectors. `entries` come in their order; a record that does not fit into what is left of a sector begins the next (6.8.1.1). */
export function directorySectors(entries: readonly DirectoryEntry[]): Buffer {
  const sectors: Buffer[] = [];
  let open: Buffer[] = [];
  let taken = 0;
  for (const record of entries.map(directoryRecord)) {
    if (taken + record.length > SECTOR_BYTES) {
      sectors.push(inSectors(...open));
      open = [];
      taken = 0;
    }
    open.push(record);
    taken += record.length;
  }
  return Buffer.concat([...sectors, inSectors(...open)]);
}

function even(length: number): number {
  return length + (length % 2);
}
