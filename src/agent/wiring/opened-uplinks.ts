import { readFileSync, rmSync } from 'node:fs';
import { z } from 'zod';
import { VmnError } from '../../lib/errors.ts';
import { writeFileAtomically } from '../host/atomic-file.ts';
import { errnoOf } from '../host/errno.ts';

/**
 * The uplinks that forward because of us, on disk: should somebody flush nftables while no agent runs, the set in the
 * guard is gone and the switches are still on. Valid for one boot, as the switches are.
 */
export interface OpenedUplinks {
  read(): readonly string[];
  /** Before any of them is switched on; with none, nothing is kept. */
  write(names: readonly string[]): void;
}

const schema = z.strictObject({ bootId: z.string(), uplinks: z.array(z.string()) });

/** `bootId`: changes with each boot of the machine. */
export function openedUplinksFile(path: string, bootId: () => string): OpenedUplinks {
  return {
    read() {
      try {
        const found = schema.parse(JSON.parse(readFileSync(path, 'utf8')));
        return found.bootId === bootId() ? found.uplinks : [];
      } catch (cause) {
        if (errnoOf(cause) === 'ENOENT') return [];
        const remedy =
          'Remove the file, and switch net.ipv4.conf.UPLINK.forwarding off by hand where it is not wanted.';
        throw new VmnError('VMN_STATE_UNREADABLE', {
          attempted: 'read the opened uplinks',
          on: path,
          remedy,
          cause,
        });
      }
    },
    write(names) {
      try {
        if (names.length === 0) rmSync(path, { force: true });
        else writeFileAtomically(path, `${JSON.stringify({ bootId: bootId(), uplinks: names })}\n`);
      } catch (cause) {
        const remedy = 'Check that --state-dir is writable and has space left.';
        throw new VmnError('VMN_STATE_UNREADABLE', {
          attempted: 'record the opened uplinks',
          on: path,
          remedy,
          cause,
        });
      }
    },
  };
}
