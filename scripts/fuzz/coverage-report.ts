import type { Unreachable } from './unreachable.ts';

/** How many there are and how many were reached. */
export interface Reached {
  reached: number;
  all: number;
}

export interface FileCoverage {
  /** Its name in native/include/vmn. */
  readonly file: string;
  readonly lines: Reached;
  readonly branches: Reached;
  readonly missed: readonly Missed[];
}

/** A line or one way out of a condition that no input took. */
export interface Missed {
  readonly line: number;
  readonly what: 'line' | 'branch';
  /** The line as it stands in the source. */
  readonly text: string;
  /** Why no input can; null: one might. */
  readonly why: string | null;
}

/**
 * Reads llvm-cov's lcov export.
 *
 * @param sourceOf the lines of a source file
 */
export function readLcov(
  lcov: string,
  sourceOf: (path: string) => readonly string[],
  unreachable: readonly Unreachable[],
): FileCoverage[] {
  return lcov
    .split('end_of_record')
    .filter((record) => /^SF:.*\/include\/vmn\//m.test(record))
    .map((record) => readRecord(record, sourceOf, unreachable))
    .sort((a, b) => a.file.localeCompare(b.file));
}

function readRecord(
  record: string,
  sourceOf: (path: string) => readonly string[],
  unreachable: readonly Unreachable[],
): FileCoverage {
  const path = /^SF:(.*)$/m.exec(record)?.[1] ?? '';
  const file = path.slice(path.lastIndexOf('/') + 1);
  const source = sourceOf(path);
  const missed: Missed[] = [];
  const tally = (what: Missed['what'], pattern: RegExp): Reached => {
    const counts = { reached: 0, all: 0 };
    for (const [, line = '', taken = ''] of record.matchAll(pattern)) {
      counts.all += 1;
      if (taken !== '0' && taken !== '-') counts.reached += 1;
      else missed.push(missedAt(file, Number(line), what, source, unreachable));
    }
    return counts;
  };
  const lines = tally('line', /^DA:(\d+),(\d+)/gm);
  const branches = tally('branch', /^BRDA:(\d+),\d+,\d+,(\d+|-)/gm);
  return { file, lines, branches, missed };
}

function missedAt(
  file: string,
  line: number,
  what: Missed['what'],
  source: readonly string[],
  unreachable: readonly Unreachable[],
): Missed {
  const text = source[line - 1]?.trim() ?? '';
  const known = unreachable.find((its) => its.file === file && text.includes(its.text));
  return { line, what, text, why: known?.why ?? null };
}

/** A table for a terminal, a list of what was not reached below it. */
export function coverageTable(files: readonly FileCoverage[]): string {
  const sum = (pick: (file: FileCoverage) => Reached): Reached => ({
    reached: files.reduce((total, file) => total + pick(file).reached, 0),
    all: files.reduce((total, file) => total + pick(file).all, 0),
  });
  const total = {
    file: 'native/include/vmn',
    lines: sum((file) => file.lines),
    branches: sum((file) => file.branches),
  };
  const rows = [...files, total].map(({ file, lines, branches }) =>
    [file.padEnd(20), shareOf(lines).padStart(18), shareOf(branches).padStart(18)].join(''),
  );
  const head = `${'file'.padEnd(20)}${'lines'.padStart(18)}${'branches'.padStart(18)}`;
  const missed = files.flatMap((file) => file.missed.map((its) => ({ file: file.file, ...its })));
  const told = missed.map(
    ({ file, line, what, text, why }) => `  ${file}:${line} ${what}: ${text}\n      ${why ?? 'NOT REACHED'}`,
  );
  const list = told.length === 0 ? [] : ['', 'not reached:', ...told];
  return [head, ...rows, ...list].join('\n');
}

function shareOf({ reached, all }: Reached): string {
  if (all === 0) return '-';
  const percent = Math.floor((1000 * reached) / all) / 10;
  return `${reached}/${all} ${percent.toFixed(1)} %`;
}
