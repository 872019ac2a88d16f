import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { VmnError } from '../../lib/errors.ts';

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Path of a program, looked up in PATH as a shell would. Throws VMN_QEMU_MISSING. */
export function findProgram(name: string, searchPath: string | undefined): string {
  if (name.includes('/')) {
    if (isProgram(name)) return name;
  } else {
    const folders = (searchPath ?? '').split(delimiter).filter((folder) => folder !== '');
    const found = folders.map((folder) => join(folder, name)).find(isProgram);
    if (found !== undefined) return found;
  }
  throw new VmnError('VMN_QEMU_MISSING', { attempted: 'start the VM', on: name });
}
