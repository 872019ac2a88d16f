import type { Circumstances } from '../../../src/filter/filtering-strategy.ts';
import type { FrameMeta } from '../../../src/native/verdict.ts';

/** The frame's first byte, where no checksum belongs: 0 stands for nowhere, and any other wrong place for this one. */
const WRONG_PLACE = 0xffff_ffff;

/** What is known about a frame besides its bytes, in the terms of the C filter. */
export function metaOf(its: Circumstances): FrameMeta {
  const { superFrame, pendingChecksumAt, ...same } = its;
  return {
    ...same,
    superFrame: superFrame?.kind ?? 'none',
    segmentBytes: superFrame === null || superFrame.kind === 'other' ? 0 : superFrame.segmentBytes,
    pendingChecksumOffset: pendingChecksumAt === 0 ? WRONG_PLACE : (pendingChecksumAt ?? 0),
  };
}
