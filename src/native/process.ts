/** What concerns this process: the lock that makes it the only one, and the network namespace it acts in. */
import { closeSync, statSync } from 'node:fs';
import { addon } from './addon.ts';
import { type Attempt, attempt } from './native-failure.ts';

export interface Lock {
  /** Idempotent. The kernel releases it too when the process ends, however it ends. */
  release(): void;
}

/**
 * Locks a file (flock), which is created (0600) and stays. `wait` blocks until it is free; without it, a lock that
 * somebody holds is an error.
 * @throws VmnError VMN_AGENT_RUNNING
 */
export function lockFile(path: string, options: { wait?: boolean } = {}): Lock {
  return held(attempt(locking(path), () => addon().lockFile(path, options.wait ?? false)));
}

function locking(path: string): Attempt {
  return {
    code: 'VMN_STATE_UNREADABLE',
    attempted: 'lock the file',
    on: path,
    means: { EAGAIN: { code: 'VMN_AGENT_RUNNING' }, EACCES: { code: 'VMN_STATE_UNREADABLE' } },
  };
}

function held(descriptor: number): Lock {
  let fd: number | null = descriptor;
  return {
    release() {
      if (fd !== null) closeSync(fd);
      fd = null;
    },
  };
}

/**
 * Moves the main thread into a network namespace, for tests. Child processes started later follow; libuv's thread pool
 * (asynchronous fs, dns) does not.
 */
export function setNetns(path: string): void {
  attempt({ code: 'VMN_NETLINK', attempted: 'enter the network namespace', on: path }, () => {
    addon().setNetns(path);
  });
}

/** Which network namespace the main thread is in: the inode number of its nsfs file. */
export function netnsInode(): number {
  return statSync('/proc/thread-self/ns/net').ino;
}
