import { directoryRecord } from './directory.ts';
import { SELF, ucs2 } from './identifier.ts';
import { PATH_TABLE_BYTES } from './path-table.ts';
import { recordBoth16, recordBoth32 } from './recorded-number.ts';
import { SECTOR_BYTES, type Extent } from './sector.ts';

/**
 * What cloud-init looks for. It takes `CIDATA` too, but old versions only this; ECMA-119 wants upper case (d-characters), and
 * no reader minds.
 */
export const VOLUME_LABEL = 'cidata';

const APPLICATION = 'VMNETWORK';

/** One of the two trees, and where its parts are. */
export interface VolumeTree {
  readonly volumeSectors: number;
  readonly root: Extent;
  /** Sectors of its path tables. */
  readonly littleEndianPaths: number;
  readonly bigEndianPaths: number;
}

/** ECMA-119 8.4. */
export function primaryDescriptor(tree: VolumeTree): Buffer {
  return descriptor(1, tree, (text, bytes) => Buffer.from(text.padEnd(bytes), 'ascii'));
}

/** ECMA-119 8.5, as Joliet uses it: UCS-2 at level 3, said by the escape sequence `%/E`. */
export function jolietDescriptor(tree: VolumeTree): Buffer {
  const sector = descriptor(2, tree, (text, bytes) => ucs2(text.padEnd(Math.floor(bytes / 2))));
  sector.write('%/E', 88, 'ascii');
  return sector;
}

/** ECMA-119 8.3. */
export function terminator(): Buffer {
  return standardSector(255);
}

/** `field` fills a number of bytes with text and blanks. Offsets are the standard's positions less one. */
function descriptor(type: number, tree: VolumeTree, field: (text: string, bytes: number) => Buffer): Buffer {
  const sector = standardSector(type);
  const put = (text: string, at: number, bytes: number): void => sector.set(field(text, bytes), at);
  put('', 8, 32); // system
  put(VOLUME_LABEL, 40, 32);
  recordBoth32(sector, tree.volumeSectors, 80);
  recordBoth16(sector, 1, 120); // volumes in the set
  recordBoth16(sector, 1, 124); // this one's number
  recordBoth16(sector, SECTOR_BYTES, 128);
  recordBoth32(sector, PATH_TABLE_BYTES, 132);
  sector.writeUInt32LE(tree.littleEndianPaths, 140);
  sector.writeUInt32BE(tree.bigEndianPaths, 148);
  const root = { identifier: SELF, extent: tree.root, directory: true, systemUse: Buffer.alloc(0) };
  sector.set(directoryRecord(root), 156);
  put('', 190, 128); // volume set
  put('', 318, 128); // publisher
  put('', 446, 128); // data preparer
  put(APPLICATION, 574, 128);
  for (const at of [702, 739, 776]) put('', at, 37); // files with copyright, abstract, bibliography
  for (const at of [813, 830, 847, 864]) sector.write('0'.repeat(16), at, 'ascii'); // no date is specified (8.4.26.1)
  sector.writeUInt8(1, 881); // file structure version
  return sector;
}

function standardSector(type: number): Buffer {
  const sector = Buffer.alloc(SECTOR_BYTES);
  sector.writeUInt8(type, 0);
  sector.write('CD001', 1, 'ascii');
  sector.writeUInt8(1, 6);
  return sector;
}
