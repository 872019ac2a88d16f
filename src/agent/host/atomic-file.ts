import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Puts `text` in the place of whatever is at `path`, so that a crash or a power cut leaves the old text or the new one:
 * temporary file `PATH.new`, fsync, rename, fsync of the folder. Mode 0600; a missing folder is made, 0700.
 * Throws what the system calls throw.
 */
export function writeFileAtomically(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w', 0o600);
  try {
    // All of it or an error: a full disk takes a part without a word.
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  syncFolder(dirname(path));
}

/** Makes what was renamed or removed in a folder outlive a power cut. */
export function syncFolder(dir: string): void {
  const folder = openSync(dir, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
