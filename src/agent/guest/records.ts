import { removeEngineFolder } from '../userspace/engine-folder.ts';
import { guestKeyOf, recordsDirOf, seedOf } from '../wiring/paths.ts';
import type { AttachmentPaths } from '../wiring/paths.ts';
import { RecordFolder } from '../wiring/record.ts';
import type { RecordState, RecordStore } from '../wiring/record.ts';
import { wipeGuestKey } from './key-file.ts';
import { removeSeed } from './seed-file.ts';

/**
 * The records of this host. With a record end the secrets of its guest, and the sockets of its engine: they go first, so that what a kill leaves has its
 * record still, and is removed by whoever removes that.
 */
export class RecordsAndSecrets implements RecordStore {
  readonly #paths: Pick<AttachmentPaths, 'stateDir' | 'runDir'>;
  readonly #records: RecordStore;

  constructor(paths: Pick<AttachmentPaths, 'stateDir' | 'runDir'>) {
    this.#paths = paths;
    this.#records = new RecordFolder(recordsDirOf(paths));
  }

  list(): Map<string, RecordState> {
    return this.#records.list();
  }

  read(tap: string): RecordState {
    return this.#records.read(tap);
  }

  write(record: Parameters<RecordStore['write']>[0]): void {
    this.#records.write(record);
  }

  remove(tap: string): void {
    removeSeed(seedOf(this.#paths, tap));
    wipeGuestKey(guestKeyOf(this.#paths, tap));
    removeEngineFolder(this.#paths, tap);
    this.#records.remove(tap);
  }
}
