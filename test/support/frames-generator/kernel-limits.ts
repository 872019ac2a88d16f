import type { Scenario } from './scenario.ts';

/** A super-frame is told to the kernel only when its frame is given as it is, not made longer or shorter on the way. */
const KERNEL_SUPER_FRAME_BYTES = { least: 54, most: 2048 };
const KERNEL_FRAME_BYTES = { least: 14, most: 16_000 };

/** Why BPF_PROG_TEST_RUN cannot be told this frame as it is, or null. */
export function notToldToTheKernel({ frame, circumstances }: Scenario): string | null {
  const { pendingChecksumAt, superFrame } = circumstances;
  if (pendingChecksumAt !== null) return 'a pending checksum';
  if (superFrame !== null && superFrame.kind !== 'other') return 'a super-frame of UDP or TCP segments';
  const { least, most } = superFrame === null ? KERNEL_FRAME_BYTES : KERNEL_SUPER_FRAME_BYTES;
  if (frame.length < least) return `a ${superFrame === null ? 'frame' : 'super-frame'} under ${least} bytes`;
  if (frame.length > most) return `a ${superFrame === null ? 'frame' : 'super-frame'} over ${most} bytes`;
  return null;
}
