import type { FrameCase } from './frame-case.ts';

/** What no frame survives, whatever it is: no policy, bytes of another ABI, the kill switch. */
export function closedCases(frames: readonly { what: string; frame: Uint8Array }[]): FrameCase[] {
  return frames.flatMap(({ what, frame }): FrameCase[] => [
    { name: `no policy: ${what}`, policy: 'none', frame, reason: 'NO_POLICY' },
    { name: `policy of another ABI: ${what}`, policy: 'foreign-abi', frame, reason: 'POLICY_ABI' },
    { name: `quarantined: ${what}`, policy: 'quarantined', frame, reason: 'QUARANTINED' },
  ]);
}
