import { existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { VmnError } from '../../../lib/errors.ts';
import { syncFolder, writeFileAtomically } from '../../host/atomic-file.ts';
import { errnoOf } from '../../host/errno.ts';
import { parseCheckpoint, serializeCheckpoint } from './checkpoint.ts';
import type { Checkpoint } from './checkpoint.ts';

/*
 * Theory of operation
 *
 * What is about to be enforced is written first. So after a crash the file says what the kernel runs, or what it was about to
 * run, and never anything older: a start without the API server undoes no kill switch.
 *
 * What cannot be written must not keep a VM from being closed, so wishes are enforced all the same. Then the file is older than
 * the kernel, and is removed. A full disk still lets a file be removed; where even that fails (a disk that turned read-only),
 * a mark in the run folder, which lives in memory, says that the file does not count. A reboot takes the mark and
 * the kernel's filters with it.
 */

export interface CheckpointPaths {
  /** Survives a reboot. */
  readonly file: string;
  /** Does not survive a reboot: there is one while `file` does not count. */
  readonly voidMark: string;
}

export type FoundCheckpoint =
  | { readonly state: 'ok'; readonly checkpoint: Checkpoint }
  | { readonly state: 'absent' }
  | { readonly state: 'damaged'; readonly error: VmnError };

export class CheckpointFile {
  readonly #paths: CheckpointPaths;

  constructor(paths: CheckpointPaths) {
    this.#paths = paths;
  }

  read(nodeName: string): FoundCheckpoint {
    const { file, voidMark } = this.#paths;
    try {
      if (existsSync(voidMark))
        throw new Error('it is older than what was enforced last, and could not be replaced');
      return { state: 'ok', checkpoint: parseCheckpoint(readFileSync(file, 'utf8'), nodeName) };
    } catch (cause) {
      if (errnoOf(cause) === 'ENOENT') return { state: 'absent' };
      const remedy =
        'Let the agent reach the API server: it replaces the file. Every VM here is denied until then.';
      const on = file;
      return {
        state: 'damaged',
        error: new VmnError('VMN_STATE_UNREADABLE', { attempted: 'read the checkpoint', on, remedy, cause }),
      };
    }
  }

  /** Null, or what went wrong; the file then does not say anything old. */
  write(checkpoint: Checkpoint): VmnError | null {
    const { file, voidMark } = this.#paths;
    try {
      writeFileAtomically(file, serializeCheckpoint(checkpoint));
      rmSync(voidMark, { force: true });
      return null;
    } catch (cause) {
      this.discard();
      const remedy =
        'Check that --state-dir is writable and has space left. What is wanted is enforced; after a start without the API server every VM would be denied.';
      return new VmnError('VMN_STATE_UNREADABLE', {
        attempted: 'write the checkpoint',
        on: file,
        remedy,
        cause,
      });
    }
  }

  /** What it says is not, or not any more, what is wanted. Never throws. */
  discard(): void {
    const { file, voidMark } = this.#paths;
    if (!existsSync(file)) return;
    try {
      rmSync(file, { force: true });
      syncFolder(dirname(file));
    } catch {
      try {
        writeFileAtomically(voidMark, '');
      } catch {
        // Neither folder can be written to. The agent could not have started so, and makes no record either.
      }
    }
  }
}
