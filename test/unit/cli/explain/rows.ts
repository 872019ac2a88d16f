import type { Explanation } from '../../../../src/cli/explain/judge/explanation.ts';

/** The objects of `explain -o json`. */
export function rowsOf(stdout: string): Explanation[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Explanation);
}
