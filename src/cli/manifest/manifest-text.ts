import { readInput } from '../read-input.ts';

/** Somewhat above the limit that the parser sets, so that the parser says how large is too large. */
const READ_LIMIT_BYTES = 2 * 1024 * 1024;

/** Text of a manifest, `-` for standard input. Bytes that are not UTF-8 become U+FFFD, which no field accepts. */
export function readManifestText(file: string): string {
  return Buffer.from(readInput(file, READ_LIMIT_BYTES, true)).toString('utf8');
}
