import { SELF } from './identifier.ts';
import { inSectors, type Extent } from './sector.ts';

/** Of a table that has one record: the root's. */
export const PATH_TABLE_BYTES = 10;

const ROOT_NUMBER = 1;

/**
 * The directories of a tree: one, its root, which is its own parent (ECMA-119 9.4). Every tree has the table twice, in both
 * byte orders (6.9). A whole sector.
 */
export function pathTable(root: Extent, order: 'little' | 'big'): Buffer {
  const record = Buffer.alloc(PATH_TABLE_BYTES);
  record.writeUInt8(SELF.length, 0);
  if (order === 'little') {
    record.writeUInt32LE(root.sector, 2);
    record.writeUInt16LE(ROOT_NUMBER, 6);
  } else {
    record.writeUInt32BE(root.sector, 2);
    record.writeUInt16BE(ROOT_NUMBER, 6);
  }
  record.set(SELF, 8);
  return inSectors(record);
}
