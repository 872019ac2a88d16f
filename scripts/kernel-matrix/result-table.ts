import type { KernelResult, Tally } from './kernel-result.ts';

const HEADINGS = [
  'kernel',
  'package',
  'BTF',
  'loads',
  'attached by',
  'loader checks',
  'catalogue',
  'survives an update',
  's',
] as const;

/** One row of words for each kernel. */
export function resultRows(results: readonly KernelResult[]): string[][] {
  return results.map((result) => {
    const { name, release, version, suite, status, reason } = result;
    const kernel = name === 'newest' ? (release ?? name) : name;
    if (status === 'skipped') return [kernel, `not tried: ${reason ?? ''}`, ...Array<string>(7).fill('–')];
    return [
      kernel,
      [version, suite].filter((word) => word !== null).join(', '),
      yesOrNo(result.btf),
      yesOrNo(result.loads),
      result.hook ?? 'no',
      counts(result.loader),
      Object.entries(result.catalogue)
        .map(([object, tally]) => `${object}: ${counts(tally)}`)
        .join('; '),
      yesOrNo(result.survivesUpdate),
      result.seconds === null ? '–' : result.seconds.toFixed(0),
    ];
  });
}

function yesOrNo(value: boolean): string {
  return value ? 'yes' : 'NO';
}

function counts({ passed, failed, skipped }: Tally): string {
  const parts = [`${passed} passed`];
  if (failed > 0) parts.push(`${failed} FAILED`);
  if (skipped > 0) parts.push(`${skipped} not possible`);
  return parts.join(', ');
}

/** For a terminal. */
export function plainTable(results: readonly KernelResult[]): string {
  const rows = [[...HEADINGS], ...resultRows(results)];
  const skipped = new Set(results.flatMap(({ status }, index) => (status === 'skipped' ? [index + 1] : [])));
  const measured = rows.filter((_, index) => !skipped.has(index));
  const widths = HEADINGS.map((_, column) => Math.max(...measured.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row, index) => (skipped.has(index) ? row.slice(0, 2) : row))
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    .map((line) => line.trimEnd())
    .join('\n');
}

/** For docs/kernels.md, with what could not be asked below the table. */
export function markdownTable(results: readonly KernelResult[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const notes = results.flatMap(({ name, release, notAsked }) =>
    Object.entries(notAsked).map(
      ([reason, count]) => `- ${release ?? name}: not possible there, ${count} of the frames: ${reason}`,
    ),
  );
  const table = [line(HEADINGS), line(HEADINGS.map(() => '---')), ...resultRows(results).map(line)].join(
    '\n',
  );
  return notes.length === 0 ? `${table}\n` : `${table}\n\n${notes.join('\n')}\n`;
}
