import { reasonName } from '../../src/filter/drop-reason.ts';
import { counters } from '../../src/native/filter-engine.ts';
import type { Direction } from '../../src/native/filter-engine.ts';

/** Frames by reason name, in one direction, as the kernel counts them. */
export type Counts = ReadonlyMap<string, number>;

/** Asks the kernel: the per-CPU counters of one tap. */
export function readCounts(pinDir: string, direction: Direction): Counts {
  const mine = counters(pinDir).filter((counter) => counter.direction === direction);
  return new Map(mine.map((counter) => [reasonName(counter.reason), Number(counter.packets)]));
}

/** What has come to `before` since; reasons that did not move are left out. */
export function since(before: Counts, now: Counts): Counts {
  const moved = [...now].map(([reason, count]) => [reason, count - (before.get(reason) ?? 0)] as const);
  return new Map(moved.filter(([, count]) => count !== 0));
}
