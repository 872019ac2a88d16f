import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { writeFileAtomically } from '../host/atomic-file.ts';
import type { Counts } from './kept-sums.ts';

/**
 * What filters counted that are no more, on disk: the kernel's own counts go on while no agent runs, and a sum that fell with
 * its restart would look like a burst of frames. Valid for one boot, as the kernel's counts are.
 */
export interface GoneCounts {
  /** Nothing where there is nothing, or nothing legible. */
  read(): Counts;
  /** Throws what the system calls throw. */
  write(gone: Counts): void;
}

const schema = z.strictObject({
  bootId: z.string(),
  counts: z.record(z.string(), z.string().regex(/^\d{1,20}$/)),
});

/** `bootId`: changes with each boot of the machine. */
export function goneCountsFile(path: string, bootId: () => string): GoneCounts {
  return {
    read() {
      try {
        const found = schema.parse(JSON.parse(readFileSync(path, 'utf8')));
        if (found.bootId !== bootId()) return new Map();
        return new Map(Object.entries(found.counts).map(([series, count]) => [series, BigInt(count)]));
      } catch {
        return new Map();
      }
    },
    write(gone) {
      const counts = Object.fromEntries([...gone].map(([series, count]) => [series, String(count)]));
      writeFileAtomically(path, `${JSON.stringify({ bootId: bootId(), counts })}\n`);
    },
  };
}
