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
        const before = memory.violations.crossings;
        const strategy = strategyFor(policy.inForce, memory);
        const verdict = strategy.judge(direction, policy.inForce, frame, circumstances);
        const { reasonCode, audited, action, answer } = verdict;
        const crossed = memory.violations.crossings > before;
        return { reason: reasonCode, audited, crossed, action, ...(answer !== undefined && { answer }) };
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
        const meta = metaOf(circumstances);
        const { reason, audited, violations } = judgeWith(state, direction, policy.bytes, frame, meta);
        return { reason, audited, crossed: violations };
      },
      end: nothing,
    };
  },
  close: nothing,
};
