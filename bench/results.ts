import { readFileSync, writeFileSync } from 'node:fs';
import type { Machine } from './machine.ts';
import type { Row } from './row.ts';

/** bench/results.json: the figures of one machine and kernel, whichever benchmark they come from. */
export interface Results {
  machine: Machine;
  kernel: string;
  /** Of the last run; each row has its own. */
  commit: string;
  /** Day of the last run, UTC. */
  date: string;
  rows: readonly Row[];
}

/**
 * New rows take the place of all rows of their groups. Those of other groups stay when they are of the same machine and
 * kernel: a table never mixes two.
 */
export function mergeResults(before: Results | null, now: Results): Results {
  const groups = new Set(now.rows.map((row) => row.group));
  const comparable =
    before !== null &&
    before.kernel === now.kernel &&
    JSON.stringify(before.machine) === JSON.stringify(now.machine);
  const kept = comparable ? before.rows.filter((row) => !groups.has(row.group)) : [];
  return { ...now, rows: [...now.rows, ...kept] };
}

/** null when there is none yet. @throws SyntaxError when it is no JSON: a figure is never guessed. */
export function readResults(path: string): Results | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Results;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** One row a line: a run that changes one figure changes one line. */
export function writeResults(path: string, { rows, ...head }: Results): void {
  const lines = rows.map((row) => `    ${JSON.stringify(row)}`).join(',\n');
  const begin = JSON.stringify(head, null, 2).slice(0, -2);
  writeFileSync(path, `${begin},\n  "rows": [\n${lines}\n  ]\n}\n`);
}
