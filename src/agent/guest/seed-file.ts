import { readdirSync, rmdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { VmnError } from '../../lib/errors.ts';
import { errnoOf } from '../host/errno.ts';

/** Names in the folder of the seed images; none if it is not there. Throws VMN_SEED_FILE. */
export function namesOfSeeds(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return [];
    throw new VmnError('VMN_SEED_FILE', { attempted: 'list the seed images', on: folder, cause });
  }
}

/**
 * Removes a seed image, what killed writers left of it, and with the last one the folder; succeeds when there is none. A VM that
 * has it open keeps it: nothing is overwritten. Throws VMN_SEED_FILE.
 */
export function removeSeed(path: string): void {
  const folder = dirname(path);
  const name = basename(path);
  const left = namesOfSeeds(folder).filter((one) => one === name || one.startsWith(`${name}.`));
  try {
    for (const one of left) rmSync(join(folder, one), { force: true });
  } catch (cause) {
    throw new VmnError('VMN_SEED_FILE', { attempted: 'remove the seed image', on: path, cause });
  }
  try {
    rmdirSync(folder);
  } catch {
    // It holds others, or was never made.
  }
}
