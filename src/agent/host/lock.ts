import { closeSync, fstatSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { VmnError } from '../../lib/errors.ts';
import { lockFile } from '../../native/process.ts';

/** A lock file that exists while somebody holds it, or died holding it. */
export interface HeldLock {
  /** Removes the file and lets go. Idempotent. */
  release(): void;
}

/**
 * Locks the file at `path`, which is made when missing, folder included. With `wait` it blocks until the lock is free,
 * without it throws VMN_AGENT_RUNNING when somebody holds it.
 *
 * The holder removes the file before it lets go, so a lock may have been taken on a file that is no longer the one at
 * `path`. A descriptor of our own, open all the while, keeps the inode number from being used again: if that number is
 * at `path` before and after, the file was there in between, and is the one that was locked. Else it is tried again.
 */
export function acquireLock(path: string, options: { readonly wait: boolean }): HeldLock {
  for (;;) {
    const witness = openFile(path);
    try {
      const lock = lockFile(path, options);
      if (inodeOf(path) === fstatSync(witness, { bigint: true }).ino) return heldLock(path, lock);
      lock.release();
    } finally {
      closeSync(witness);
    }
  }
}

/** Runs `body` under the lock at `path`; waits for whoever holds it. */
export function withFileLock<T>(path: string, body: () => T): T {
  const lock = acquireLock(path, { wait: true });
  try {
    return body();
  } finally {
    lock.release();
  }
}

function heldLock(path: string, lock: { release(): void }): HeldLock {
  let held = true;
  return {
    release: () => {
      if (!held) return;
      held = false;
      rmSync(path, { force: true });
      lock.release();
    },
  };
}

function openFile(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return openSync(path, 'a', 0o600);
  } catch (cause) {
    const remedy = 'Check that the folder can be written to, or choose another one.';
    throw new VmnError('VMN_STATE_UNREADABLE', { attempted: 'make the lock file', on: path, remedy, cause });
  }
}

function inodeOf(path: string): bigint | null {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino ?? null;
}
