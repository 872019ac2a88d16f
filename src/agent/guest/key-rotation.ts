import { linkSync, lstatSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { VmnError } from '../../lib/errors.ts';
import { syncFolder } from '../host/atomic-file.ts';
import { errnoOf } from '../host/errno.ts';
import type { GuestKey } from './key-file.ts';
import { formerKeyOf, loadGuestKey, nextKeyOf, readGuestKey, wipeFile } from './key-file.ts';

/*
 * Theory of operation
 *
 * A key is replaced with overlap: the next pair lies beside the present one (PATH.next) until the guest has it.
 *
 *   makeNextKey   PATH.next comes into being whole, as every pair does; PATH is not touched
 *   retireKey     1  PATH gets a second name, PATH.former
 *                 2  PATH.next is renamed to PATH: from here on the next pair is the present one
 *                 3  PATH.former is overwritten and removed
 *
 * PATH holds a whole pair at each moment. A kill before 2 leaves both pairs; one after it leaves the new pair and a file that nobody
 * reads, which the next call wipes. A name that was left may be one of a pair that stays, as PATH.former is after a kill between 1
 * and 2: then only the name is removed. All calls are made under the state lock.
 */

/** The pairs of one VM. */
export interface RotatingKeys {
  readonly present: GuestKey;
  /** Null: no rotation is under way. */
  readonly next: GuestKey | null;
}

/** Null: the VM has no key. Changes nothing. Throws VMN_STATE_UNREADABLE. */
export function readKeys(path: string): RotatingKeys | null {
  const present = readGuestKey(path);
  return present === null ? null : { present, next: readGuestKey(nextKeyOf(path)) };
}

/** Both pairs; the next is made unless there is one. Null: there is no present one to follow. Throws VMN_STATE_UNREADABLE. */
export function makeNextKey(path: string): (RotatingKeys & { readonly next: GuestKey }) | null {
  const present = readGuestKey(path);
  if (present === null) return null;
  changing(path, () => {
    removeLeft(path);
  });
  return { present, next: loadGuestKey(nextKeyOf(path)) };
}

/**
 * The next pair becomes the present one, and the present one is wiped; without a next pair only what a killed call left is.
 * Gives what is there then; null: no key. Throws VMN_STATE_UNREADABLE, and then one whole pair is at `path` still.
 */
export function retireKey(path: string): GuestKey | null {
  const keys = readKeys(path);
  if (keys === null) return null;
  changing(path, () => {
    removeLeft(path);
    if (keys.next === null) return;
    linkSync(path, formerKeyOf(path));
    renameSync(nextKeyOf(path), path);
    syncFolder(dirname(path));
    wipeFile(formerKeyOf(path));
  });
  return keys.next ?? keys.present;
}

/** The pair for a VM that starts: the next one if there is one, else the present one, made if there is none. Throws VMN_STATE_UNREADABLE. */
export function keyOfStart(path: string): GuestKey {
  return retireKey(path) ?? loadGuestKey(path);
}

/** What killed calls left: second names of a pair that stays are removed, all else is wiped. */
function removeLeft(path: string): void {
  const next = nextKeyOf(path);
  removeSecond(path, formerKeyOf(path));
  removeSecond(path, `${path}.new`);
  // Were it left, it would be a second name of the present pair later on, and overwritten when the one after is made.
  removeSecond(next, `${next}.new`);
}

function removeSecond(kept: string, second: string): void {
  // Overwriting it would overwrite what is kept.
  if (inodeOf(second) === inodeOf(kept)) rmSync(second, { force: true });
  else wipeFile(second);
}

function inodeOf(path: string): bigint | null {
  try {
    return lstatSync(path, { bigint: true }).ino;
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return null;
    throw cause;
  }
}

function changing(path: string, change: () => void): void {
  try {
    change();
  } catch (cause) {
    const remedy = 'Check that --state-dir is writable and has space left, and do it again.';
    throw new VmnError('VMN_STATE_UNREADABLE', {
      attempted: "replace the VM's private key",
      on: path,
      remedy,
      cause,
    });
  }
}
