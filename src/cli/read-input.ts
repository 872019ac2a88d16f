import { closeSync, openSync, readSync } from 'node:fs';
import { InputError } from './input-error.ts';

const CHUNK_BYTES = 1 << 20;

/**
 * A file named on the command line, or standard input for `-`. Bounded while reading, so that neither a device nor a
 * pipe without end can fill the memory.
 * @param limitBytes what is longer is refused; `truncate` returns the first `limitBytes` instead
 */
export function readInput(name: string, limitBytes: number, truncate = false): Uint8Array {
  const chunks: Uint8Array[] = [];
  let total = 0;
  let descriptor: number | null = null;
  try {
    descriptor = name === '-' ? 0 : openSync(name, 'r');
    while (total <= limitBytes) {
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, limitBytes + 1 - total));
      const bytes = readSome(descriptor, chunk);
      if (bytes === 0) break;
      chunks.push(chunk.subarray(0, bytes));
      total += bytes;
    }
  } catch (error) {
    throw unreadable(name, error);
  } finally {
    if (descriptor !== null && name !== '-') closeSync(descriptor);
  }
  if (total > limitBytes && !truncate) {
    throw new InputError(name, `longer than ${limitBytes} bytes`, 'Give a smaller file.');
  }
  return Buffer.concat(chunks).subarray(0, limitBytes);
}

/** The error for a file that the system does not give to us. */
export function unreadable(name: string, cause: unknown): InputError {
  return new InputError(name, `cannot be read: ${reasonOf(cause)}`, 'Check the name and the permissions.');
}

/** Standard input may be non-blocking when another program left it so. */
function readSome(descriptor: number, chunk: Uint8Array): number {
  for (;;) {
    try {
      return readSync(descriptor, chunk);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EOF') return 0;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

function reasonOf(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return 'no such file';
    case 'EACCES':
      return 'permission denied';
    case 'EISDIR':
      return 'it is a folder';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
