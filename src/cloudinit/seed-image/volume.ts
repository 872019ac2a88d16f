import { directorySectors, type DirectoryEntry } from './directory.ts';
import { compareIdentifiers, PARENT, plainIdentifier, SELF, ucs2 } from './identifier.ts';
import { pathTable } from './path-table.ts';
import { continuationArea, fileEntries, rootParentEntries, rootSelfEntries } from './rock-ridge.ts';
import { inSectors, SECTOR_BYTES, sectorsOf, type Extent } from './sector.ts';
import type { SeedFile } from './seed-file.ts';
import { jolietDescriptor, primaryDescriptor, terminator } from './volume-descriptor.ts';

/*
 * Theory of operation
 *
 * One directory, said twice over the same contents: the primary tree has Rock Ridge, the other is Joliet. Sector by sector:
 *
 *   0  16 of zeros, the system area      19  path tables of the primary tree, little and big endian
 *   16 primary descriptor                21  path tables of the Joliet tree
 *   17 Joliet descriptor                 23  root directory, Joliet root directory
 *   18 terminator                        then the continuation area of Rock Ridge, then contents
 *
 * The continuation area comes after the directory that names it, for readers that only go forward (libarchive). Contents are in the order of the names, each from the beginning of a sector. Nothing here depends on the clock, on chance,
 * on the locale or on the order in which files are given.
 */

const SYSTEM_AREA_SECTORS = 16;
const PRIMARY_PATHS = 19;
const JOLIET_PATHS = 21;
const ROOT = 23;

/** How a tree writes its root directory, when it is known where all is. */
type Tree = (places: Places) => Buffer;

interface Places {
  readonly root: Extent;
  readonly continuation: Extent;
  /** In the order of their identifiers in the primary tree. */
  readonly contents: readonly PlacedFile[];
}

interface PlacedFile {
  readonly file: SeedFile;
  readonly extent: Extent;
}

/** A volume before its contents are written. */
export interface Volume {
  /** All sectors in front of the contents. */
  readonly front: Buffer;
  /** In the order in which their contents follow, each filled with zeros to whole sectors. */
  readonly files: readonly SeedFile[];
  readonly sectors: number;
}

/** `files` have passed `checkFiles`. */
export function volumeOf(files: readonly SeedFile[]): Volume {
  const inOrder = [...files].sort((a, b) =>
    compareIdentifiers(plainIdentifier(a.name), plainIdentifier(b.name)),
  );
  const primaryRoot = { sector: ROOT, bytes: bytesOf(primaryTree, inOrder) };
  const jolietRoot = { sector: after(primaryRoot), bytes: bytesOf(jolietTree, inOrder) };
  const continuation = { sector: after(jolietRoot), bytes: continuationArea().length };
  const contents: PlacedFile[] = [];
  let sectors = after(continuation);
  for (const file of inOrder) {
    // What is empty is nowhere.
    contents.push({ file, extent: { sector: file.size === 0 ? 0 : sectors, bytes: file.size } });
    sectors += sectorsOf(file.size);
  }
  const volume = { volumeSectors: sectors };
  const front = Buffer.concat([
    Buffer.alloc(SYSTEM_AREA_SECTORS * SECTOR_BYTES),
    primaryDescriptor({ ...volume, root: primaryRoot, ...pathsAt(PRIMARY_PATHS) }),
    jolietDescriptor({ ...volume, root: jolietRoot, ...pathsAt(JOLIET_PATHS) }),
    terminator(),
    ...[primaryRoot, jolietRoot].flatMap((root) => [pathTable(root, 'little'), pathTable(root, 'big')]),
    primaryTree({ root: primaryRoot, continuation, contents }),
    jolietTree({ root: jolietRoot, continuation, contents }),
    inSectors(continuationArea()),
  ]);
  return { front, files: inOrder, sectors };
}

const primaryTree: Tree = ({ root, continuation, contents }) =>
  directorySectors([
    folder(SELF, root, rootSelfEntries(continuation)),
    folder(PARENT, root, rootParentEntries()),
    ...contents.map(({ file, extent }) => ({
      identifier: Buffer.from(plainIdentifier(file.name), 'ascii'),
      extent,
      directory: false,
      systemUse: fileEntries(file.name),
    })),
  ]);

const jolietTree: Tree = ({ root, contents }) =>
  directorySectors([
    folder(SELF, root, NOTHING),
    folder(PARENT, root, NOTHING),
    ...[...contents]
      .sort((a, b) => compareIdentifiers(a.file.name, b.file.name))
      .map(({ file, extent }) => ({
        identifier: ucs2(file.name),
        extent,
        directory: false,
        systemUse: NOTHING,
      })),
  ]);

const NOTHING = Buffer.alloc(0);

function folder(identifier: Uint8Array, extent: Extent, systemUse: Uint8Array): DirectoryEntry {
  return { identifier, extent, directory: true, systemUse };
}

/** Where things are changes no record's length, so a directory that says it of nothing is as long as the real one. */
function bytesOf(tree: Tree, files: readonly SeedFile[]): number {
  const nowhere = { sector: 0, bytes: 0 };
  const contents = files.map((file) => ({ file, extent: nowhere }));
  return tree({ root: nowhere, continuation: nowhere, contents }).length;
}

function pathsAt(sector: number): { littleEndianPaths: number; bigEndianPaths: number } {
  return { littleEndianPaths: sector, bigEndianPaths: sector + 1 };
}

function after({ sector, bytes }: Extent): number {
  return sector + sectorsOf(bytes);
}
