import type { FarEndName } from './far-end.ts';

export interface Arrival {
  at: FarEndName;
  frames: number;
}

/** Such as "2 at internet, 1 at host". */
export function describe(arrived: readonly Arrival[]): string {
  return arrived.map(({ at, frames }) => `${String(frames)} at ${at}`).join(', ');
}
