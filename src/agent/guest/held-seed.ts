import { readdirSync, readlinkSync, statSync } from 'node:fs';

/** `this`: it is what lies at the path now. `older`: it lay there before. */
export type HeldSeed = 'this' | 'older' | 'none';

/**
 * Whether a process has the image at `path` open, as a VM has whose drive it is in: whoever put it there, and whatever it
 * is called in the process's own view of the file system. A process that has ended holds none.
 */
export function heldSeed(pid: number, path: string): HeldSeed {
  const mine = statOf(path);
  let held: HeldSeed = 'none';
  for (const fd of descriptorsOf(pid)) {
    const file = `/proc/${pid}/fd/${fd}`;
    const theirs = statOf(file);
    if (mine !== null && theirs?.ino === mine.ino && theirs.dev === mine.dev) return 'this';
    if (linkOf(file) === `${path} (deleted)`) held = 'older';
  }
  return held;
}

/** Whether a process finds the very file at this path. */
export function seesFile(pid: number, path: string): boolean {
  const [mine, theirs] = [statOf(path), statOf(`/proc/${pid}/root${path}`)];
  return mine !== null && theirs?.ino === mine.ino && theirs.dev === mine.dev;
}

function descriptorsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`);
  } catch {
    return [];
  }
}

function statOf(path: string): { readonly dev: bigint; readonly ino: bigint } | null {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return null;
  }
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}
