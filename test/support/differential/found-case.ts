import { createHash } from 'node:crypto';
import { reasonName } from '../../../src/filter/drop-reason.ts';
import type { CorpusCase, CorpusPolicy } from '../corpus/case-file.ts';
import { caseText } from '../corpus/case-text.ts';
import { policyOfCase } from '../frames-generator/corpus-scenario.ts';
import type { GeneratedPolicy } from '../frames-generator/policy.ts';
import type { Scenario } from '../frames-generator/scenario.ts';
import type { Difference } from './compare.ts';
import { toldDifference } from './compare.ts';

/** A file for test/support/corpus/found. */
export interface FoundCase {
  /** With `.case`; says what the frame tries. */
  name: string;
  text: string;
}

/**
 * A difference in a single frame as a case file, expecting what the last engine says, which is the reference. Null when a
 * case cannot say it: several frames, or a policy that is not one of the corpus.
 */
export function foundCase(
  steps: readonly Scenario[],
  difference: Difference,
  note: string,
): FoundCase | null {
  const [step, ...others] = steps;
  if (step === undefined || others.length > 0) return null;
  const policy = corpusPolicyOf(step.policy);
  const meta = corpusMetaOf(step);
  const expect = expectationOf(step, difference);
  if (policy === undefined || expect === null || step.frame.length === 0) return null;
  const { direction, frame } = step;
  const title = `[EB-6] ${what(step)}: ${toldDifference(difference)}.`;
  const text = caseText({ title, direction, policy, meta, expect, frame }, note);
  return { name: `${nameOf(step, expect.reason)}.case`, text };
}

/** What the frame tries, in the words of a file name, and a few digits that tell it from its likes. */
export function nameOf({ direction, mutations, frame }: Scenario, reason: string): string {
  const words = [direction, ...new Set(mutations.slice(-3)), reason].join('-');
  const kebab = words.replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();
  return `${kebab}-${createHash('sha256').update(frame).digest('hex').slice(0, 6)}`;
}

function what({ direction, mutations }: Scenario): string {
  const way = direction === 'from-vm' ? 'From the VM' : 'To the VM';
  return mutations.length === 0 ? `${way}, a frame as it was` : `${way}, after ${mutations.join(', ')}`;
}

function corpusMetaOf({ circumstances: its }: Scenario): CorpusCase['meta'] {
  return {
    vlan: its.vlanInMetadata,
    answer: its.ownAnswer,
    checksumAt: its.pendingChecksumAt,
    superFrame: its.superFrame,
  };
}

/** Undefined when the corpus has no words for it. */
function corpusPolicyOf({ fields, inForce, bytes }: GeneratedPolicy): CorpusPolicy | null | undefined {
  if (inForce === 'none') return null;
  const mode = inForce === 'foreign' ? 'Filtered' : inForce.mode;
  if (mode === 'Direct') return undefined;
  const { previous, samplePerMillion = 0 } = fields;
  const policy: CorpusPolicy = {
    mode,
    samplePerMillion,
    strict: fields.strict === true,
    quarantined: fields.quarantined === true,
    audit: fields.audit === true,
    foreign: inForce === 'foreign',
    previous: previous === undefined ? 'none' : previous.untilNs > 1n ? 'alive' : 'expired',
    maxPacketBytes: Math.min(fields.maxPacketBytes ?? 0, 65_535),
  };
  if (policy.foreign) return policy;
  const said = policyOfCase(policy).fields;
  const generation = fields.generation ?? 1n;
  const spoken = policyOfCase(policy).bytes;
  const isSaid = spoken !== null && bytes !== null && Buffer.compare(spoken, withoutSecret(bytes)) === 0;
  const byChance = policy.mode === 'Sampled' && samplePerMillion > 0 && samplePerMillion < 1_000_000;
  return isSaid && generation === said.generation && !byChance ? policy : undefined;
}

/** Without one: it decides nothing where chance does not. */
function withoutSecret(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes).fill(0, 64, 80);
}

function expectationOf(step: Scenario, { said }: Difference): CorpusCase['expect'] | null {
  const judged = said.at(-1)?.judged;
  if (judged === undefined) return null;
  const { reason, audited } = judged;
  const replies = step.direction === 'from-vm' && reasonName(reason) === 'ArpAnswered';
  const verdict = replies ? 'reply' : reason < 16 || audited ? 'allow' : 'drop';
  return { verdict, reason: reasonName(reason), reasonCode: reason, audited };
}
