import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { VmnError } from '../../lib/errors.ts';
import type { SeedFile } from './seed-file.ts';
import { seedImage } from './seed-image.ts';

/*
 * Theory of operation
 *
 * An image holds a VM's private key, so it is never readable for others, never there by halves, and no half of it outlives
 * its writer for long:
 *
 * - It is written under a name of its own, `PATH.RANDOM.unfinished-seed`, created with mode 0600 and never followed through a
 *   link; then fsync, rename, fsync of the folder. Who has the old image open, as QEMU has, keeps the old one until its medium
 *   is changed.
 * - A writer that fails removes its unfinished file. One that is killed leaves it; `removeUnfinishedSeeds` at the next start
 *   removes all that end so, without asking who writes: a process that lives and still writes one notices that it is gone
 *   and begins again.
 */

const UNFINISHED = /\.[0-9a-f]{16}\.unfinished-seed$/;
/** How often a start of others may come in between. */
const ATTEMPTS = 5;

export interface WriteOptions {
  /** Gives up between two chunks; the image that was there stays. */
  readonly signal?: AbortSignal;
}

/**
 * Puts the seed image of `files` in the place of whatever is at `path`, mode 0600; a missing folder is made, 0700. After a
 * failure or a crash the old image is there, or none.
 *
 * @throws VmnError VMN_SEED_IMAGE (see `seedImage`), VMN_SEED_FILE for what the system refuses, and the signal's reason
 */
export async function writeSeedImage(
  path: string,
  files: readonly SeedFile[],
  { signal }: WriteOptions = {},
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const image = seedImage(files); // refuses what it refuses before anything is on the disk
    try {
      await replace(path, image, signal);
      return;
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof SweptError && attempt < ATTEMPTS) continue;
      if (cause instanceof VmnError) throw cause;
      throw new VmnError('VMN_SEED_FILE', { attempted: 'write the seed image', on: path, cause });
    }
  }
}

/**
 * Removes what killed writers left in `folder`: for its owner, at every start. Gives the names.
 *
 * @throws VmnError VMN_SEED_FILE; a folder that is not there has none
 */
export async function removeUnfinishedSeeds(folder: string): Promise<string[]> {
  try {
    const names = (await namesIn(folder)).filter((name) => UNFINISHED.test(name));
    for (const name of names) await rm(join(folder, name), { force: true });
    if (names.length > 0) await syncFolder(folder);
    return names;
  } catch (cause) {
    throw new VmnError('VMN_SEED_FILE', { attempted: 'remove unfinished seed images', on: folder, cause });
  }
}

/** Its unfinished file was removed by the start of another process. */
class SweptError extends Error {}

async function replace(
  path: string,
  image: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const unfinished = `${path}.${randomBytes(8).toString('hex')}.unfinished-seed`;
  try {
    const file = await open(unfinished, 'wx', 0o600);
    try {
      await file.chmod(0o600); // whatever the umask took away
      await file.writeFile(image, signal === undefined ? {} : { signal });
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path).catch(async (cause: unknown) => {
      throw (await namesIn(dirname(path))).includes(basename(unfinished))
        ? cause
        : new SweptError('the unfinished file was removed by another process', { cause });
    });
  } catch (cause) {
    await rm(unfinished, { force: true });
    throw cause;
  }
  await syncFolder(dirname(path));
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw cause;
  });
}

/** Makes what was renamed or removed in a folder outlive a power cut. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
