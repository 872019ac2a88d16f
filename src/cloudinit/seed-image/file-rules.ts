import { describeValue } from '../../api/printable.ts';
import { VmnError } from '../../lib/errors.ts';
import { plainIdentifier } from './identifier.ts';
import type { SeedFile } from './seed-file.ts';

/** Of name and extension together: interchange level 2 of ECMA-119, so that no tree has to cut a name. */
export const MAX_NAME_LENGTH = 30;
/** cloud-init asks for four. */
export const MAX_FILES = 32;
/** Of one document. cloud-init reads it into memory whole. */
export const MAX_FILE_BYTES = 16 * 1024 * 1024;
/** Of all documents together. */
export const MAX_CONTENT_BYTES = 64 * 1024 * 1024;

/** What POSIX calls portable, without the first and last characters that some reader gives a meaning. */
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?$/;

/**
 * Refuses what would make an image that some reader does not read as meant. Contents are never quoted.
 *
 * @throws VmnError VMN_SEED_IMAGE, naming the field, its value and the remedy
 */
export function checkFiles(files: readonly SeedFile[]): void {
  if (files.length > MAX_FILES) {
    throw refused('files', `there are ${files.length}, more than ${MAX_FILES}`, 'Leave out documents.');
  }
  const byIdentifier = new Map<string, string>();
  let total = 0;
  for (const { name, size } of files) {
    checkName(name);
    checkSize(name, size);
    const same = byIdentifier.get(plainIdentifier(name));
    if (same !== undefined) {
      const fault = `it is the same as ${describeValue(same)} where case, hyphen and underscore make no difference`;
      throw refused(`name ${describeValue(name, 64)}`, fault, 'Rename one of the two documents.');
    }
    byIdentifier.set(plainIdentifier(name), name);
    total += size;
  }
  if (total > MAX_CONTENT_BYTES) {
    const fault = `the documents have ${total} bytes together, more than ${MAX_CONTENT_BYTES}`;
    throw refused('size', fault, SMALLER);
  }
}

const SMALLER = 'Make the documents smaller: cloud-init fetches what `#include` names.';

function checkName(name: string): void {
  if (name.length > MAX_NAME_LENGTH) {
    const fault = `it has ${name.length} characters, more than ${MAX_NAME_LENGTH}`;
    throw refused(`name ${describeValue(name, 64)}`, fault, 'Give the document a shorter name.');
  }
  if (!NAME.test(name)) {
    const fault = 'it is no plain file name';
    const remedy = 'Use ASCII letters, digits and `._-`, with a letter or digit first and no dot at the end.';
    throw refused(`name ${describeValue(name, 64)}`, fault, remedy);
  }
}

function checkSize(name: string, size: number): void {
  if (!Number.isSafeInteger(size) || size < 0) {
    throw refused(`size of ${name}`, `${size} is no number of bytes`, 'Give the length of the content.');
  }
  if (size > MAX_FILE_BYTES) {
    throw refused(`size of ${name}`, `it has ${size} bytes, more than ${MAX_FILE_BYTES}`, SMALLER);
  }
}

/** `fault` says what is wrong with `field`. */
export function refused(field: string, fault: string, remedy: string): VmnError {
  return new VmnError('VMN_SEED_IMAGE', {
    attempted: 'make the seed image',
    on: field,
    remedy,
    cause: new Error(fault),
  });
}
