import type { VmNetworkAttachmentStatus } from '../../../api/v1alpha1/index.ts';
import type { PlannedCondition } from '../../../controller/vmnetwork/plan.ts';
import type { JudgedAttachment } from '../../source/cluster/judge.ts';
import { attachmentConditions, readBackOf } from './attachment-conditions.ts';
import { bypassCondition } from './bypass-condition.ts';
import { guestCondition, guestReport } from './guest-condition.ts';
import type { CardOutcome } from './attachment-conditions.ts';
import { tunnelCondition } from './tunnel-condition.ts';

/** What is to be said of an attachment, but for what takes time into account; see attachment-write.ts. */
export interface AttachmentReport extends Pick<
  VmNetworkAttachmentStatus,
  'engine' | 'interface' | 'enforced' | 'exposureMilliseconds' | 'guest' | 'tunnel'
> {
  readonly observedGeneration: number;
  readonly conditions: readonly PlannedCondition[];
}

/**
 * The status of one attachment after a pass. Pure.
 *
 * @param outcome null: the pass had nothing of the card
 * @param sealedFault why its pre-shared key cannot be had; null: it can, or there is none
 */
export function attachmentReport(
  judged: JudgedAttachment,
  outcome: CardOutcome | null,
  sealedFault: string | null,
): AttachmentReport {
  const { attachment } = judged;
  const conditions = attachmentConditions(judged, outcome);
  const guest = guestCondition(judged, outcome, sealedFault);
  if (guest !== null) conditions.push(guest);
  const bypass = bypassCondition(judged, outcome);
  if (bypass !== null) conditions.push(bypass);
  if (!attachment.deleting) conditions.push(tunnelCondition(judged, outcome));
  return { observedGeneration: attachment.generation, conditions, ...cardReport(judged, outcome) };
}

/** A pass failed as a whole: what was enforced before is not known to be any more. */
export function unverifiedReport(report: AttachmentReport, message: string): AttachmentReport {
  const { enforced: _before, ...rest } = report;
  const conditions = report.conditions.map((condition): PlannedCondition => {
    const { type } = condition;
    if (type !== 'Enforced' && type !== 'TunnelEstablished') return condition;
    return { type, status: 'Unknown', reason: 'Pending', message: `not verified: ${message}` };
  });
  return { ...rest, conditions };
}

function cardReport(
  judged: JudgedAttachment,
  outcome: CardOutcome | null,
): Omit<AttachmentReport, 'conditions' | 'observedGeneration'> {
  const link = outcome?.result.observed?.link ?? null;
  if (outcome === null) return {};
  if (outcome.result.observed?.engine !== undefined)
    return {
      engine: outcome.seen.engine,
      ...guestReport(judged, outcome),
      ...exposureOf(outcome),
      ...enforcedOf(judged, readBackOf(judged, outcome)),
    };
  if (link === null) return {};
  const { seen } = outcome;
  const { found } = outcome.result;
  return {
    engine: seen.engine,
    interface: {
      name: link.name,
      ifindex: link.ifindex,
      ...(found?.site == null ? {} : { netns: found.site }),
    },
    ...guestReport(judged, outcome),
    ...lastHandshakeOf(outcome),
    ...exposureOf(outcome),
    ...enforcedOf(judged, readBackOf(judged, outcome)),
  };
}

/** metav1.Time, which has no fraction. */
function lastHandshakeOf({ seen: { tunnel } }: CardOutcome): Pick<AttachmentReport, 'tunnel'> {
  const { lastHandshake } = tunnel;
  return lastHandshake === undefined ? {} : { tunnel: { lastHandshake: `${lastHandshake.slice(0, 19)}Z` } };
}

/** A tap of ours is closed before anybody can open it. Of one that was found closed this agent cannot tell. */
function exposureOf({ result: { found } }: CardOutcome): Pick<AttachmentReport, 'exposureMilliseconds'> {
  const exposureMilliseconds = found === undefined ? 0 : found.exposureMs;
  return exposureMilliseconds === null ? {} : { exposureMilliseconds };
}

function enforcedOf({ attachment: { spec } }: JudgedAttachment, proof: CardOutcome | null) {
  const found = proof?.seen.enforced ?? null;
  if (spec === null || found === null) return {};
  const { programTag, linkId, verifiedAt } = found;
  return {
    enforced: {
      policyHash: spec.hash,
      policyGeneration: spec.policyGeneration,
      ...(programTag === undefined ? {} : { programTag: programTag.fromVm }),
      // clsact has no links, and an engine in user space neither.
      ...(linkId === undefined || linkId.fromVm === 0 ? {} : { linkId: linkId.fromVm }),
      verifiedAt,
    },
  };
}
