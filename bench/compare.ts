import type { MeasuredRow, Naming, SkippedRow, Target } from './row.ts';
import { spreadOf } from './statistics.ts';

/** Both sides of a comparison, ns a frame, round by round. */
export interface Pairs {
  ours: readonly number[];
  other: readonly number[];
  frames: number;
}

/**
 * One row from two sides that were measured in turn: the comparison is made within each round, so that what slows the
 * machine for a while slows both. `ns`: ours minus the other; `x`: the other divided by ours.
 */
export function compare(naming: Naming, pairs: Pairs, target: Target | null, commit: string): MeasuredRow {
  if (pairs.ours.length !== pairs.other.length)
    throw new RangeError(`${naming.id}: rounds without a partner`);
  if (naming.unit !== 'ns' && naming.unit !== 'x')
    throw new RangeError(`${naming.id}: ${naming.unit} is not what a comparison comes to`);
  const comparisons = pairs.ours.map((ours, at) => {
    const other = pairs.other[at] ?? Number.NaN;
    return naming.unit === 'ns' ? ours - other : other / ours;
  });
  const { median, quartiles, n } = spreadOf(comparisons);
  const shown = round(median);
  return {
    ...naming,
    median: shown,
    iqr: [round(quartiles[0]), round(quartiles[1])],
    n,
    frames: pairs.frames,
    sides: { ours: round(spreadOf(pairs.ours).median), other: round(spreadOf(pairs.other).median) },
    gate: target?.gate ?? null,
    aim: target?.aim ?? null,
    pass: target === null ? null : reaches(naming.unit, shown, target.gate),
    commit,
  };
}

/** The row of a comparison whose other side is not there. */
export function skip(naming: Naming, reason: string, target: Target | null, commit: string): SkippedRow {
  return { ...naming, skipped: reason, gate: target?.gate ?? null, aim: target?.aim ?? null, commit };
}

/** Costs are to be low, how many times cheaper we are high. */
export function reaches(unit: Naming['unit'], median: number, target: number): boolean {
  return unit === 'x' ? median >= target : median <= target;
}

/** To what is shown: a verdict about digits that nobody sees would be a riddle. */
export function round(value: number): number {
  return Math.round(value * 100) / 100;
}
