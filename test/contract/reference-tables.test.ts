import { describe, expect, test } from '@jest/globals';
import { isDrop } from '../../src/filter/drop-reason.ts';
import type { Circumstances } from '../../src/filter/filtering-strategy.ts';
import { newFilterMemory } from '../../src/filter/filter-memory.ts';
import { strategyFor } from '../../src/filter/strategy.ts';
import { judge } from '../../src/native/verdict.ts';
import { CAST, DIRECT, fromGuest, policyOf, toGuest } from '../support/frames/cast.ts';
import {
  fromVmCases,
  reasonsOf,
  superFrames,
  toVmCases,
  type FrameCase,
} from '../support/frames/cases/index.ts';
import { symbolOf } from '../support/frames/reasons.ts';
import { circumstancesWith } from '../support/frames-generator/judged.ts';
import { metaOf } from '../support/frames-generator/meta.ts';
import { inForce, NOW } from '../support/frames-generator/policy.ts';

// The tables of frames that are also sent for real (test/kernel), through the reference and the C filter.

describe.each([
  ['from-vm', fromVmCases(CAST), superFrames((twist) => fromGuest(CAST, twist))],
  ['to-vm', toVmCases(CAST), superFrames((twist) => toGuest(CAST, twist))],
] as const)('the tables of frames, %s', (direction, cases, more) => {
  const all = [...cases.filter(({ segmentBytes }) => segmentBytes === undefined), ...more];

  test.each(all.map((item) => [title(item), item] as const))('%s', (_, item) => {
    const kind = item.policy ?? 'plain';
    const { previous, ...pinned } = CAST;
    const minuteNs = 60_000_000_000n;
    const untilNs = kind === 'grace-running' ? NOW + minuteNs : NOW;
    const policy = inForce({
      ...pinned,
      quarantined: kind === 'quarantined',
      strict: kind === 'strict',
      ...(kind === 'direct' && DIRECT),
      ...(kind.startsWith('grace') && { previous: { ...previous, untilNs } }),
    });
    const given = kind === 'none' ? 'none' : kind === 'foreign-abi' ? 'foreign' : policy;
    const circumstances = circumstancesOf(item);
    const reference = strategyFor(given, newFilterMemory());
    const { reasonCode, action } = reference.judge(direction, given, item.frame, circumstances);
    expect(reasonsOf(item)).toContain(symbolOf(reasonCode));
    expect(action === 'drop').toBe(isDrop(reasonCode));
    expect(reasonCode).toBe(judge(direction, policyOf(kind, CAST, NOW), item.frame, metaOf(circumstances)));
  });
});

function title({ ids = [], name }: FrameCase): string {
  return ids.map((id) => `[${id}] `).join('') + name;
}

function circumstancesOf({ checksum, segmentBytes }: FrameCase): Circumstances {
  return circumstancesWith({
    superFrame: segmentBytes === undefined ? null : { kind: 'udp', segmentBytes },
    pendingChecksumAt: checksum === undefined ? null : checksum.start + checksum.offset,
  });
}
