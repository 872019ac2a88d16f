import { expect, test } from '@jest/globals';
import { JUDGED_BYTES, wholeFrame } from '../../../../src/cli/explain/judge/whole-frame.ts';
import { filterPolicyOf } from '../../../../src/cli/explain/engine/filter-policy.ts';
import { newFilterMemory } from '../../../../src/filter/filter-memory.ts';
import { PLAIN } from '../../../../src/filter/filtering-strategy.ts';
import { strategyFor } from '../../../../src/filter/strategy.ts';
import { Dice } from '../../../support/frames-generator/dice.ts';
import { scenarios } from '../../../support/frames-generator/scenario.ts';
import { ethernet, handshake } from '../frame-builder.ts';
import { policy } from './policy.ts';

const captured = (bytes: Uint8Array, frameBytes: number) => ({ index: 0, timeNs: null, bytes, frameBytes });
const inForce = filterPolicyOf(policy());

test('a frame that was captured whole is taken as it is', () => {
  const frame = handshake();
  expect(wholeFrame(captured(frame, frame.length), 'from-vm', inForce)).toBe(frame);
});

test('one that holds all that the filter reads gets its full length back', () => {
  const whole = wholeFrame(captured(handshake().subarray(0, JUDGED_BYTES), 190), 'from-vm', inForce);
  expect(whole).toHaveLength(190);
});

test('with a byte less nothing is claimed, unless an outer rule decides', () => {
  const cut = (frame: Uint8Array, bytes: number) =>
    wholeFrame(captured(frame.subarray(0, bytes), frame.length), 'from-vm', inForce);
  expect(cut(handshake(), JUDGED_BYTES - 1)).toEqual({ neededBytes: JUDGED_BYTES });
  expect(cut(ethernet(new Array<number>(90).fill(0), { etherType: 0x86dd }), 14)).toHaveLength(104);
  expect(cut(ethernet(new Array<number>(90).fill(0), { etherType: 0x86dd }), 13)).toEqual({
    neededBytes: 14,
  });
  expect(cut(ethernet(new Array<number>(90).fill(0), { source: '02:00:00:00:00:09' }), 12)).toHaveLength(104);
  expect(cut(ethernet(new Array<number>(90).fill(0), { source: '02:00:00:00:00:09' }), 11)).toEqual({
    neededBytes: 12,
  });
});

test('15,000 generated frames (seed 5), cut anywhere: what is judged is judged as the whole frame is, in every mode', () => {
  const [frames, dice] = [scenarios(5), new Dice(5)];
  let judged = 0;
  for (let count = 0; count < 15_000; count++) {
    const { direction, policy: generated, frame, circumstances } = frames.next().value;
    const by = generated.inForce;
    const bytes = frame.subarray(0, dice.below(Math.min(frame.length, JUDGED_BYTES + 4) + 1));
    const whole = wholeFrame(captured(bytes, frame.length), direction, by);
    if (!(whole instanceof Uint8Array)) continue;
    const plain = {
      ...PLAIN,
      nowNs: circumstances.nowNs,
      nonce: circumstances.nonce,
      ownAnswer: direction === 'to-vm',
    };
    // The memory of flows and limits is another story: each frame meets a filter that has seen nothing.
    const say = (seen: Uint8Array) => strategyFor(by, newFilterMemory()).judge(direction, by, seen, plain);
    expect(say(whole)).toEqual(say(frame));
    judged += bytes.length < frame.length ? 1 : 0;
  }
  expect(judged).toBeGreaterThan(2000);
});
