import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { Problem } from '../../api/manifest.ts';
import { ERRORS, isExhaustion, remedyOfExhaustion } from '../../lib/errors.ts';
import type { ErrorCode } from '../../lib/errors.ts';
import { errnoOf } from '../host/errno.ts';

/** Largest manifest that is read, bytes. Checked before a byte is read, so a huge file costs nothing. */
export const MANIFEST_LIMIT_BYTES = 1024 * 1024;

export type ManifestText =
  | { readonly text: string; readonly problem?: never; readonly scarce?: never }
  | {
      readonly text?: never;
      readonly problem: Problem;
      /** It is not the file's fault: nothing could be opened, or no memory was there. */
      readonly scarce?: boolean;
    };

/**
 * The text of one manifest, or what is wrong with the file. Never blocks: only regular files are read (a FIFO would
 * wait for a writer), and a symbolic link is not followed, because what it points to is not under this folder's guard.
 */
export function readManifestFile(path: string, file: string): ManifestText {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if (errnoOf(cause) === 'ELOOP')
      return refuse(file, 'VMN_MANIFEST_UNREADABLE', 'is a symbolic link', NOT_REGULAR);
    return unreadable(file, 'opened', cause);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return refuse(file, 'VMN_MANIFEST_UNREADABLE', 'is not a regular file', NOT_REGULAR);
    if (stat.size > MANIFEST_LIMIT_BYTES) return tooLarge(file, stat.size);
    return decode(readUpTo(fd, MANIFEST_LIMIT_BYTES + 1), file);
  } catch (cause) {
    return unreadable(file, 'read', cause);
  } finally {
    closeSync(fd);
  }
}

const NOT_REGULAR = 'Put the manifest itself into the folder, as an ordinary file.';

/** The file may grow while it is read; `limit` bounds what is taken. */
function readUpTo(fd: number, limit: number): Buffer {
  const buffer = Buffer.alloc(limit);
  let length = 0;
  while (length < limit) {
    const count = readSync(fd, buffer, length, limit - length, null);
    if (count === 0) break;
    length += count;
  }
  return buffer.subarray(0, length);
}

function decode(bytes: Buffer, file: string): ManifestText {
  if (bytes.length > MANIFEST_LIMIT_BYTES) return tooLarge(file, bytes.length);
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return refuse(file, 'VMN_MANIFEST_SYNTAX', 'is not text in UTF-8', 'Save the file as UTF-8.');
  }
}

function tooLarge(file: string, bytes: number): ManifestText {
  const message = `has ${bytes} bytes; at most ${MANIFEST_LIMIT_BYTES} are read`;
  return refuse(file, 'VMN_MANIFEST_TOO_LARGE', message);
}

function refuse(
  file: string,
  code: ErrorCode,
  message: string,
  remedy: string = ERRORS[code].remedy,
): { readonly problem: Problem } {
  return { problem: { file, message, remedy, code } };
}

function unreadable(file: string, what: string, cause: unknown): ManifestText {
  const message = `cannot be ${what}: ${reasonOf(cause)}`;
  const refused = refuse(file, 'VMN_MANIFEST_UNREADABLE', message, remedyOfExhaustion(cause));
  return isExhaustion(cause) ? { ...refused, scarce: true } : refused;
}

function reasonOf(cause: unknown): string {
  return errnoOf(cause) ?? String(cause);
}
