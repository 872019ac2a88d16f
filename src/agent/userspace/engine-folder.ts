import { rmdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from '../host/errno.ts';
import type { AttachmentPaths } from '../wiring/paths.ts';
import { enginePlaceOf } from './engine-place.ts';

/** Its sockets go, and with the last engine the folder of all. Succeeds when there is nothing. */
export function removeEngineFolder(paths: Pick<AttachmentPaths, 'runDir'>, record: string): void {
  const { dir } = enginePlaceOf(paths, record);
  rmSync(dir, { recursive: true, force: true });
  try {
    rmdirSync(dirname(dir));
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(errnoOf(error) ?? '')) throw error;
  }
}
