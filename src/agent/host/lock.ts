import { closeSync, fstatSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isVmnError, VmnError } from '../../lib/errors.ts';
import { type Lock, lockFile } from '../../native/process.ts';

/** A lock file that exists while somebody holds it, or died holding it. */
export interface HeldLock {
  /** Removes the file and lets go. Idempotent. */
  release(): void;
}

/** A lock on a folder, which stays where it is. */
export interface FolderLock {
  /** Whether the folder at that path is the one that was locked, and no other that took its place. */
  isAt(path: string): boolean;
  /** A path to the folder that was locked, of this process, wherever it is mounted, or was. */
  readonly held: string;
  /** Lets go. Idempotent. */
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
      if (isThere(path, witness)) return heldLock(path, lock);
      lock.release();
    } finally {
      closeSync(witness);
    }
  }
}

/** Null: somebody holds it. */
function acquireIfFree(path: string): HeldLock | null {
  for (;;) {
    const witness = openFile(path);
    try {
      const lock = lockIfFree(path);
      if (lock === null) return null;
      if (isThere(path, witness)) return heldLock(path, lock);
      lock.release();
    } finally {
      closeSync(witness);
    }
  }
}

/** Null: somebody holds it. */
function lockIfFree(path: string): Lock | null {
  try {
    return lockFile(path);
  } catch (error) {
    if (isVmnError(error, 'VMN_AGENT_RUNNING')) return null;
    throw error;
  }
}

/** Locks the folder at `path`. Throws VMN_AGENT_RUNNING when somebody holds it, VMN_STATE_UNREADABLE when there is none. */
export function lockFolder(path: string): FolderLock {
  for (;;) {
    let witness: number | null = openFolder(path);
    const letGo = (): void => {
      if (witness !== null) closeSync(witness);
      witness = null;
    };
    try {
      const lock = lockFile(path);
      const { ino } = fstatSync(witness, { bigint: true });
      if (inodeOf(path) === ino)
        return {
          isAt: (where) => inodeOf(where) === ino,
          held: `/proc/self/fd/${witness}`,
          release: () => {
            lock.release();
            letGo();
          },
        };
      lock.release();
    } catch (error) {
      letGo();
      throw error;
    }
    letGo();
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

/** A lock that was not to be had in time. */
export class LockBusy extends Error {
  override readonly name = 'LockBusy';
}

/** Of what a later pass will do as well: it is not done. Throws everything else on. */
export function notIfBusy(error: unknown): false {
  if (error instanceof LockBusy) return false;
  throw error;
}

/** Somebody who makes a tap is done by then as a rule; longer would make old what a pass was told at its begin. */
const PATIENCE_MS = 100;
const RETRY_MS = 5;

/** A lock that this process takes again and again, each time for one piece of work. */
export class RecurringLock {
  readonly #path: string;
  #held = false;
  #wasBusy = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Runs `body` under it. Blocks the thread while somebody else holds it. */
  with<T>(body: () => T): T {
    return this.#held ? body() : withFileLock(this.#path, body);
  }

  /**
   * Runs `work`, in which with() never blocks, as soon as it is free; the event loop turns until then. Throws LockBusy when it is
   * not free in time: what `work` was to do may not be wanted any more. After that it is not waited for again until it was had once:
   * whoever stopped in the midst of holding it holds up nothing else, however many ask for it one after another.
   */
  async later<T>(work: () => T): Promise<T> {
    let lock: HeldLock | null = null;
    const untilMs = performance.now() + (this.#wasBusy ? 0 : PATIENCE_MS);
    try {
      for (lock = acquireIfFree(this.#path); lock === null; lock = acquireIfFree(this.#path)) {
        if (performance.now() >= untilMs) {
          this.#wasBusy = true;
          throw new LockBusy(`somebody holds ${this.#path}`);
        }
        await delay(RETRY_MS);
      }
    } catch (error) {
      if (!isVmnError(error)) throw error;
      // It fails again where it is asked for, and is told there.
      return work();
    }
    this.#held = true;
    this.#wasBusy = false;
    try {
      return work();
    } finally {
      this.#held = false;
      lock.release();
    }
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

function openFolder(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    const remedy = 'Check that the folder is there and can be read.';
    throw new VmnError('VMN_STATE_UNREADABLE', { attempted: 'lock the folder', on: path, remedy, cause });
  }
}

/** Whether what the witness holds open is what is at `path`. */
function isThere(path: string, witness: number): boolean {
  return inodeOf(path) === fstatSync(witness, { bigint: true }).ino;
}

function inodeOf(path: string): bigint | null {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino ?? null;
}
