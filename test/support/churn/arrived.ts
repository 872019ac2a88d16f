import type { Capture } from '../lab/index.ts';
import { stampOf } from '../stage/stamp.ts';
import type { Bans } from './bans.ts';

/** What came to the far ends: how many frames, and a line for each that should not have come. */
export async function arrived(
  captures: Readonly<Record<string, Capture>>,
  bans: Bans,
): Promise<{ frames: number; forbidden: string[] }> {
  let frames = 0;
  const forbidden: string[] = [];
  for (const [place, capture] of Object.entries(captures)) {
    await capture.drain();
    for (const frame of capture.frames()) {
      frames += 1;
      const stamp = stampOf(frame);
      if (stamp === null || stamp.place !== place || bans.breaks(stamp))
        forbidden.push(`at ${place}: ${stamp === null ? 'no VM’s' : `${stamp.vm} to ${stamp.place}`}`);
    }
  }
  return { frames, forbidden };
}
