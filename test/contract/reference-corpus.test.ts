import { describe, expect, test } from '@jest/globals';
import type { PolicyInForce } from '../../src/filter/filter-policy.ts';
import type { Circumstances } from '../../src/filter/filtering-strategy.ts';
import { strategyFor } from '../../src/filter/strategy.ts';
import { CORPUS_CAST, loadCorpus, type CorpusCase } from '../support/corpus/load-corpus.ts';
import { Mode } from '../support/frames/policy-bytes.ts';
import { inForce, NOW } from '../support/frames-generator/policy.ts';

// The corpus is written from the RFCs and the specification; the reference has to come to the same by itself.

const HOUR_NS = 3_600_000_000_000n;
const MODES = { Filtered: Mode.filtered, Conntrack: Mode.conntrack, Sampled: Mode.sampled };

function policyOf({ policy }: CorpusCase): PolicyInForce {
  if (policy === null) return 'none';
  if (policy.foreign) return 'foreign';
  const { previous: before, ...cast } = CORPUS_CAST;
  const { previous, mode, ...rest } = policy;
  const untilNs = previous === 'alive' ? NOW + HOUR_NS : NOW;
  return inForce({
    ...cast,
    ...rest,
    mode: MODES[mode],
    ...(previous !== 'none' && { previous: { ...before, untilNs } }),
  });
}

function circumstancesOf({ meta }: CorpusCase): Circumstances {
  return {
    nowNs: NOW,
    nonce: 0n,
    vlanInMetadata: meta.vlan,
    superFrame: meta.superFrame,
    pendingChecksumAt: meta.checksumAt,
    ownAnswer: meta.answer,
  };
}

const corpus = loadCorpus();

describe('the corpus through the reference', () => {
  test.each(corpus.map((item) => [item.title, item.file, item] as const))(
    '%s (%s)',
    (_title, _file, item) => {
      const policy = policyOf(item);
      const filter = strategyFor(policy);
      const judged = () => {
        const { action, reason, reasonCode, audited } = filter.judge(
          item.direction,
          policy,
          item.frame,
          circumstancesOf(item),
        );
        return { verdict: action, reason, reasonCode, audited };
      };
      expect(judged()).toEqual(item.expect);

      const remembered = item.policy?.mode === 'Conntrack' && item.expect.reason === 'Allowed';
      expect(judged()).toEqual(
        remembered ? { ...item.expect, reason: 'AllowedFlow', reasonCode: 3 } : item.expect,
      );
    },
  );
});
