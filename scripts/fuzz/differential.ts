import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Found } from '../../test/support/differential/found.ts';
import { FOLDERS } from './folders.ts';
import { runProgram } from './program.ts';

/** What a worker says, a line of JSON each. */
export type WorkerLine =
  | { kind: 'progress'; frames: number }
  | { kind: 'done'; frames: number; found: Found[]; reasons: Record<string, number> };

export interface DifferentialReport {
  readonly frames: number;
  readonly seconds: number;
  /** What was kept of each difference: path and one line. */
  readonly kept: { path: string; told: string }[];
  /** Ways and reasons that were met. */
  readonly outcomes: number;
  /** A worker that did not come to its end. */
  readonly broken: string[];
}

const WORKER = join(import.meta.dirname, 'differential-worker.ts');
const MOST_SECONDS = 4 * 3600;

/** Frames through the engines, a share in each of several processes. */
export async function runDifferential(
  venue: 'kernel' | 'host',
  frames: number,
  seed: number,
  workers: number,
  signal: AbortSignal,
  onProgress: (frames: number) => void,
): Promise<DifferentialReport> {
  const began = Date.now();
  const done = new Map<number, number>();
  const ends = await Promise.all(
    Array.from({ length: workers }, async (_, index) => {
      const share = Math.floor(frames / workers) + (index < frames % workers ? 1 : 0);
      let last: Extract<WorkerLine, { kind: 'done' }> | null = null;
      const { code, stderr } = await runProgram(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', WORKER, String(seed + index), String(share), venue],
        {
          signal,
          seconds: MOST_SECONDS,
          onLine(line) {
            const said = parseLine(line);
            if (said === null) return;
            if (said.kind === 'done') last = said;
            done.set(index, said.frames);
            onProgress([...done.values()].reduce((sum, count) => sum + count, 0));
          },
        },
      );
      return { last: last as Extract<WorkerLine, { kind: 'done' }> | null, code, stderr };
    }),
  );
  const finished = ends.map(({ last }) => last).filter((last) => last !== null);
  return {
    frames: finished.reduce((sum, last) => sum + last.frames, 0),
    seconds: (Date.now() - began) / 1000,
    kept: finished.flatMap((last) => last.found.map(keep)),
    outcomes: new Set(finished.flatMap((last) => Object.keys(last.reasons))).size,
    broken: ends
      .filter(({ last, code }) => last === null || code !== 0)
      .map(({ code, stderr }) => `ended with ${code ?? 'a signal'}: ${stderr.trim().slice(-1500)}`),
  };
}

function parseLine(line: string): WorkerLine | null {
  try {
    return line.startsWith('{') ? (JSON.parse(line) as WorkerLine) : null;
  } catch {
    return null;
  }
}

function keep({ file, told }: Found): { path: string; told: string } {
  const folder = file.kind === 'case' ? FOLDERS.foundCases : FOLDERS.foundSequences;
  const path = join(folder, file.name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, file.text);
  return { path, told };
}
