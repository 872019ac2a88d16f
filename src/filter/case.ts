import type { FilterPolicy } from './filter-policy.ts';
import type { Circumstances, Direction } from './filtering-strategy.ts';

/** What a frame is judged by; the same for all of its layers. */
export interface Case {
  readonly direction: Direction;
  readonly policy: FilterPolicy;
  readonly circumstances: Circumstances;
}
