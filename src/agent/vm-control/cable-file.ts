import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { isDeepStrictEqual } from 'node:util';
import { VmnError } from '../../lib/errors.ts';
import { writeFileAtomically } from '../host/atomic-file.ts';

/**
 * The cables that we pulled, or were about to: QEMU does not tell which are out, and one that somebody else pulled is not ours
 * to plug in. By what the attachment's record goes by.
 */
const pulledSchema = z.strictObject({
  key: z.string(),
  pid: z.int().positive(),
  startTicks: z.string(),
  mac: z.string(),
});
const fileSchema = z.strictObject({ version: z.literal(1), pulled: z.array(pulledSchema) });

export type PulledCable = z.infer<typeof pulledSchema>;

export interface CableStore {
  /** None when it cannot be read: what is out then stays so until the VM is started anew. */
  read(): PulledCable[];
  /** @throws VmnError VMN_STATE_UNREADABLE */
  write(pulled: readonly PulledCable[]): void;
}

/** In a file, which is there from the first pulled cable on. */
export class CableFile implements CableStore {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  read(): PulledCable[] {
    try {
      return fileSchema.parse(JSON.parse(readFileSync(this.#path, 'utf8'))).pulled;
    } catch {
      return [];
    }
  }

  write(pulled: readonly PulledCable[]): void {
    if (isDeepStrictEqual(pulled, this.read())) return;
    try {
      writeFileAtomically(this.#path, `${JSON.stringify({ version: 1, pulled })}\n`);
    } catch (cause) {
      throw new VmnError('VMN_STATE_UNREADABLE', { attempted: 'note a pulled cable', on: this.#path, cause });
    }
  }
}
