/** Rows of one table; docs/performance.md shows each group where it is explained. */
export type Group =
  'filter' | 'lookup' | 'modes' | 'fleet' | 'growth' | 'rest' | 'attach' | 'footprint' | 'reaction';

/** What is to be reached. A row without a target is a figure to look at. */
export interface Target {
  /** Missing it fails the run. */
  gate: number;
  /** What a good result is; stands beside it. */
  aim: number;
}

/**
 * What a figure counts. `ns`: more than what it is compared with. `x`: how many times cheaper than that, the only one to be
 * high. `times`: how many times as much as that. The others stand for themselves.
 */
export type Unit = 'ns' | 'x' | 'times' | 's' | 'ms' | 'MB' | 'KB' | '%' | 'requests' | 'a minute';

/** What a row is about. */
export interface Naming {
  /** Names the row for ever: a later run replaces the row of the same id. */
  id: string;
  group: Group;
  /** The number in the list of targets, such as P1; empty when it has none. */
  number: string;
  what: string;
  against: string;
  unit: Unit;
}

interface Judged extends Naming {
  gate: number | null;
  aim: number | null;
  /** The sources that were measured. */
  commit: string;
}

export interface MeasuredRow extends Judged {
  median: number;
  /** First and third quartile. */
  iqr: readonly [number, number];
  /** Rounds, each of them a comparison. */
  n: number;
  /** Frames on our side, each of them counted to have met its fate; of the data path only. */
  frames?: number;
  /** Medians of the two sides, in ns a frame unless said otherwise; absent where nothing is compared. */
  sides?: { ours: number; other: number; unit?: string };
  /** Whether the gate was reached; null without one. */
  pass: boolean | null;
}

/** What could not be measured here, and why: a peer that is not installed. */
export interface SkippedRow extends Judged {
  skipped: string;
}

/** One line of the table, and one object of bench/results.json. */
export type Row = MeasuredRow | SkippedRow;

export function isMeasured(row: Row): row is MeasuredRow {
  return !('skipped' in row);
}
