import { execFileSync } from 'node:child_process';
import { cpus, release } from 'node:os';

/** Enough to understand a figure, nothing that tells whose machine it is. */
export interface Machine {
  cpu: string;
  cores: number;
}

export function thisMachine(): Machine {
  const all = cpus();
  return { cpu: all[0]?.model.trim() ?? 'unknown', cores: all.length };
}

export function thisKernel(): string {
  return `Linux ${release()}`;
}

/** The checked-out commit, `-dirty` when the sources differ from it; `unknown` outside of a repository. */
export function thisCommit(folder: string): string {
  try {
    const words = ['describe', '--always', '--dirty', '--abbrev=12', '--exclude=*'];
    return execFileSync('git', words, { cwd: folder, encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return 'unknown';
  }
}
