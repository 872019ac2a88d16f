import { counters, type Direction } from '../../../src/native/filter-engine.ts';
import { symbolOf } from '../frames/reasons.ts';

/** Frames counted in the kernel, by "direction SYMBOL". */
export type Tally = ReadonlyMap<string, bigint>;

export function tally(pinDir: string): Tally {
  return new Map(
    counters(pinDir).map(({ direction, reason, packets }) => [`${direction} ${symbolOf(reason)}`, packets]),
  );
}

/** What was counted between two tallies in one direction, by symbol; what did not move is left out. */
export function moved(before: Tally, after: Tally, direction: Direction): Record<string, number> {
  const changes: Record<string, number> = {};
  for (const [key, packets] of after) {
    const [where, symbol = ''] = key.split(' ');
    const difference = packets - (before.get(key) ?? 0n);
    if (where === direction && difference !== 0n) changes[symbol] = Number(difference);
  }
  return changes;
}
