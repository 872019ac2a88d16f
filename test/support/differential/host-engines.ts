/** The two engines that need no privileges and are told everything about a frame. */
import { newFilterMemory } from '../../../src/filter/filter-memory.ts';
import { strategyFor } from '../../../src/filter/strategy.ts';
import { createFilterState, judgeWith } from '../../../src/native/verdict.ts';
import { metaOf } from '../frames-generator/meta.ts';
import type { Engine } from './engine.ts';

const nothing = (): void => {};

/** src/filter, which a person checks the others against. */
export const referenceEngine: Engine = {
  name: 'reference',
  begin() {
    const memory = newFilterMemory();
    return {
      judge({ direction, policy, frame, circumstances }) {
        const strategy = strategyFor(policy.inForce, memory);
        const verdict = strategy.judge(direction, policy.inForce, frame, circumstances);
        const { reasonCode, audited, action, answer } = verdict;
        return { reason: reasonCode, audited, action, ...(answer !== undefined && { answer }) };
      },
      end: nothing,
    };
  },
  close: nothing,
};

/** native/include/vmn as the host compiles it. */
export const cEngine: Engine = {
  name: 'c',
  begin() {
    const state = createFilterState();
    return {
      judge({ direction, policy, frame, circumstances }) {
        const { reason, audited } = judgeWith(state, direction, policy.bytes, frame, metaOf(circumstances));
        return { reason, audited };
      },
      end: nothing,
    };
  },
  close: nothing,
};
