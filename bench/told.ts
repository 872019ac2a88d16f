import { reaches, round } from './compare.ts';
import type { Group, MeasuredRow, Target, Unit } from './row.ts';
import { spreadOf } from './statistics.ts';

/** A row as it is told of, without what rows of one benchmark have alike. */
export interface Told {
  /** Without its number, which it begins with. */
  id: string;
  what: string;
  against?: string;
  unit: Unit;
  /** Of one measurement, or of one for each round. */
  values: readonly number[];
  sides?: { ours: number; other: number; unit: string };
  target?: Target;
}

export function rowOf(group: Group, number: string, told: Told, commit: string): MeasuredRow {
  const { id, what, against = '', unit, values, sides, target } = told;
  const { median, quartiles, n } = spreadOf(values);
  const shown = round(median);
  return {
    ...{ id: `${number}-${id}`, group, number, what, against, unit },
    ...{ median: shown, iqr: [round(quartiles[0]), round(quartiles[1])], n },
    ...(sides !== undefined && { sides: { ...sides, ours: round(sides.ours), other: round(sides.other) } }),
    gate: target?.gate ?? null,
    aim: target?.aim ?? null,
    pass: target === undefined ? null : reaches(unit, shown, target.gate),
    commit,
  };
}
