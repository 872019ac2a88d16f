import { type CorpusCase, type CorpusPolicy, CORPUS_CAST } from '../corpus/load-corpus.ts';
import { Mode, POLICY_ABI, policyBytes, type PolicyFields } from '../frames/policy-bytes.ts';
import { type GeneratedPolicy, inForce, NOW } from './policy.ts';
import type { Scenario } from './scenario.ts';

/** Grace that ended a long time ago, or ends in 292 years: the same by the kernel's clock and by a generated one. */
export const GRACE = { expired: 1n, alive: 2n ** 63n } as const;

const MODES = { Filtered: Mode.filtered, Conntrack: Mode.conntrack, Sampled: Mode.sampled };

/** A case of the corpus as a scenario that has not been changed. */
export function scenarioOfCase({ direction, policy, meta, frame }: CorpusCase): Scenario {
  return {
    vm: 0,
    direction,
    policy: policyOfCase(policy),
    frame,
    circumstances: {
      nowNs: NOW,
      nonce: 0n,
      vlanInMetadata: meta.vlan,
      superFrame: meta.superFrame,
      pendingChecksumAt: meta.checksumAt,
      ownAnswer: meta.answer,
    },
    mutations: [],
  };
}

export function policyOfCase(policy: CorpusPolicy | null): GeneratedPolicy {
  const fields = fieldsOfCase(policy);
  if (policy === null) return { fields, bytes: null, inForce: 'none' };
  if (policy.foreign)
    return { fields, bytes: policyBytes({ ...fields, abi: POLICY_ABI + 1 }), inForce: 'foreign' };
  return { fields, bytes: policyBytes(fields), inForce: inForce(fields) };
}

function fieldsOfCase(policy: CorpusPolicy | null): PolicyFields {
  const { previous: before, ...cast } = CORPUS_CAST;
  if (policy === null) return cast;
  const { previous, mode, strict, quarantined, audit, samplePerMillion, maxPacketBytes } = policy;
  return {
    ...cast,
    ...{ strict, quarantined, audit, samplePerMillion, maxPacketBytes },
    mode: MODES[mode],
    ...(previous !== 'none' && { previous: { ...before, untilNs: GRACE[previous] } }),
  };
}
