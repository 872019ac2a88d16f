import { formatProblem } from '../../api/manifest.ts';
import type { Problem } from '../../api/manifest.ts';
import { escapeLines } from '../terminal/escape.ts';

/** Of one file; the rest is for `-o json`. */
const MOST_PROBLEMS = 20;

/**
 * The problems of one file for people, in the order of its lines, each a block. Whose problem it is stands at the first of
 * several only.
 * @param mark what each block begins with
 */
export function problemText(problems: readonly Problem[], mark: string): string {
  const sorted = [...problems].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  const blocks = sorted.slice(0, MOST_PROBLEMS).map((problem, at) => block(problem, sorted[at - 1], mark));
  const more = sorted.length - blocks.length;
  if (more > 0) blocks.push(`and ${more} more; -o json shows all\n`);
  return blocks.join(sorted.length > 1 ? '\n' : '');
}

function block(problem: Problem, before: Problem | undefined, mark: string): string {
  const { object, document, ...rest } = problem;
  const same = before !== undefined && before.object === object && before.document === document;
  return `${mark}  ${escapeLines(formatProblem(same ? rest : problem))}\n`;
}
