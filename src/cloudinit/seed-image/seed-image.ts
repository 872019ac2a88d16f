import { checkFiles, refused } from './file-rules.ts';
import { SECTOR_BYTES, sectorsOf } from './sector.ts';
import type { SeedFile } from './seed-file.ts';
import { volumeOf } from './volume.ts';

/**
 * The bytes of a NoCloud seed image, from its beginning: an ISO 9660 volume with the label `cidata` and `files` in its root,
 * the same bytes for the same names and contents in whatever order. Holds the directories and one chunk of a content at a
 * time. Checks first and throws nothing later but for a content that is not as long as its `size`, or that cannot be read.
 *
 * @throws VmnError VMN_SEED_IMAGE
 */
export function seedImage(files: readonly SeedFile[]): AsyncGenerator<Uint8Array, void, undefined> {
  checkFiles(files);
  return sectors(files);
}

/** How long the image is. @throws VmnError VMN_SEED_IMAGE */
export function seedImageBytes(files: readonly SeedFile[]): number {
  checkFiles(files);
  return volumeOf(files).sectors * SECTOR_BYTES;
}

async function* sectors(files: readonly SeedFile[]): AsyncGenerator<Uint8Array, void, undefined> {
  const volume = volumeOf(files);
  yield volume.front;
  for (const file of volume.files) {
    yield* exactly(file);
    yield Buffer.alloc(sectorsOf(file.size) * SECTOR_BYTES - file.size);
  }
}

/** The directory has already said how long the content is. */
async function* exactly(file: SeedFile): AsyncGenerator<Uint8Array, void, undefined> {
  let left = file.size;
  for await (const chunk of file.chunks()) {
    left -= chunk.length;
    if (left < 0) break;
    yield chunk;
  }
  if (left === 0) return;
  const fault = `the content is ${left < 0 ? 'longer' : 'shorter'} than the ${file.size} bytes that were said`;
  throw refused(`size of ${file.name}`, fault, 'Give the length of the content.');
}
