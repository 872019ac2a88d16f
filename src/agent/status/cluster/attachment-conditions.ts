import { MILLION } from '../../../native/policy-abi.ts';
import type { PlannedCondition } from '../../../controller/vmnetwork/plan.ts';
import type { AttachmentResult } from '../../attachment/rounds.ts';
import type { JudgedAttachment } from '../../source/cluster/judge.ts';
import { detection } from '../detection.ts';
import type { AttachmentStatus } from '../status.ts';

/** What became of an attachment's card in a pass; both are of one and the same pass. */
export interface CardOutcome {
  readonly result: AttachmentResult;
  readonly seen: AttachmentStatus;
}

type Said = Omit<PlannedCondition, 'type'>;

/** Of what nothing passes on, these tell more than that. */
const SAID_AS_IS: ReadonlySet<Said['reason']> = new Set<Said['reason']>(['Pending', 'UnsupportedBackend']);

/** Longest message that is written, characters; the API's bound is far above. */
const LONGEST_MESSAGE = 1024;

/**
 * `Programmed`, `Enforced` and, of one that is being deleted, `Released`. Pure. `Enforced` is True only if this very pass read the
 * policy of this attachment back (docs/adr/0012).
 *
 * @param outcome null: the pass had nothing of the card
 */
export function attachmentConditions(
  judged: JudgedAttachment,
  outcome: CardOutcome | null,
): PlannedCondition[] {
  const conditions: PlannedCondition[] = [
    { type: 'Programmed', ...cut(programmed(judged, outcome)) },
    { type: 'Enforced', ...cut(enforced(judged, outcome)) },
  ];
  if (judged.attachment.deleting) conditions.push({ type: 'Released', ...cut(released(judged, outcome)) });
  return conditions;
}

/** The outcome, if the pass read back the policy that this attachment asks for; else null. */
export function readBackOf(judged: JudgedAttachment, outcome: CardOutcome | null): CardOutcome | null {
  if (outcome === null || judged.intent === null || outcome.seen.enforced === null) return null;
  const { verified, desired } = outcome.result;
  return verified && desired.want === 'program' && desired.asked === judged.intent ? outcome : null;
}

function programmed(judged: JudgedAttachment, outcome: CardOutcome | null): Said {
  const why = notHere(judged) ?? nothingPasses(judged, outcome);
  if (why !== null) return why;
  const proof = readBackOf(judged, outcome);
  if (proof !== null) return { status: 'True', reason: 'Programmed', message: proof.seen.message };
  if (outcome?.seen.state === 'Error') {
    const reason = outcome.seen.engineLost === true ? 'EngineLost' : 'ProgrammingFailed';
    return { status: 'False', reason, message: outcome.seen.message };
  }
  return pending(outcome);
}

function enforced(judged: JudgedAttachment, outcome: CardOutcome | null): Said {
  const why = notHere(judged) ?? nothingPasses(judged, outcome);
  if (why !== null) return SAID_AS_IS.has(why.reason) ? why : { ...why, reason: 'Denied' };
  const wasDetached = outcome?.seen.detached === true;
  const proof = wasDetached ? null : readBackOf(judged, outcome);
  if (proof !== null) return readBack(judged, proof);
  if (outcome?.seen.state !== 'Error') return pending(outcome);
  const isDetached = wasDetached || outcome.result.observed?.fault != null;
  const lost = outcome.seen.engineLost === true ? 'EngineLost' : 'ReadBackMismatch';
  return {
    status: 'False',
    reason: isDetached ? 'Detached' : lost,
    message: outcome.seen.message,
  };
}

/** What a policy that is in force leaves unenforced by its own terms is False; see docs/adr/0012. */
function readBack({ intent }: JudgedAttachment, { result, seen }: CardOutcome): Said {
  const { policy } = result;
  if (policy?.flags.quarantined === true) {
    const wayOut = '. To release it, set desiredState: Quarantined, then Active';
    const message = intent?.quarantined === true ? seen.message : seen.message + wayOut;
    return { status: 'True', reason: 'Quarantined', message };
  }
  if (policy?.mode === 'Direct') return { status: 'False', reason: 'NotHostEnforced', message: seen.message };
  if (policy?.flags.audit === true) return { status: 'False', reason: 'AuditOnly', message: seen.message };
  if (policy?.mode === 'Sampled' && policy.samplePerMillion < MILLION) {
    const message = `${seen.message}; ${detection(policy.samplePerMillion)}`;
    return { status: 'False', reason: 'SampledInPart', message };
  }
  return { status: 'True', reason: 'Verified', message: seen.message };
}

/** Its VM reaches nothing more: deny-all was read back in this pass, or there is nothing that could be denied. */
function released({ place }: JudgedAttachment, outcome: CardOutcome | null): Said {
  // A policy that was made for the card may be in force yet where it was.
  if (place.at === 'nowhere' && outcome === null) {
    return { status: 'True', reason: 'Gone', message: 'the network card is not on this host' };
  }
  if (outcome !== null && isClosed(outcome.result)) {
    return { status: 'True', reason: 'Denied', message: 'nothing passes: deny-all was read back' };
  }
  const message =
    outcome?.seen.message ?? 'the network card is not on an interface that this agent has closed';
  return { status: 'False', reason: 'Pending', message };
}

function isClosed({ observed, policy }: AttachmentResult): boolean {
  if (observed === null || policy !== null) return false;
  if (observed.link === null && !observed.pinned && observed.engine === undefined) return true;
  // Of pins without a link the programs may be elsewhere; they judge by this policy there, too.
  return observed.filter.policyState === 'empty' && (observed.link === null || observed.fault === null);
}

function notHere({ place, attachment }: JudgedAttachment): Said | null {
  const { vmId = '', mac = '' } = attachment.card ?? {};
  switch (place.at) {
    case 'tap':
      return null;
    case 'nowhere':
      return pendingFor(`there is no VM ${vmId} with the network card ${mac} on this host`);
    case 'unknown':
      return pendingFor(`whether VM ${vmId} is on this host is not known: its record cannot be read`);
    case 'found':
      return place.unsupported === null
        ? null
        : { status: 'False', reason: 'UnsupportedBackend', message: place.unsupported };
  }
}

/** Denied by what was asked for, or by what this host is. */
function nothingPasses({ refusal }: JudgedAttachment, outcome: CardOutcome | null): Said | null {
  if (refusal !== null) return { status: 'False', reason: refusal.reason, message: refusal.message };
  if (outcome === null || outcome.result.desired.want === 'program') return null;
  return { status: 'False', reason: 'Denied', message: outcome.result.desired.reason };
}

function pending(outcome: CardOutcome | null): Said {
  return pendingFor(outcome?.seen.message ?? 'not yet programmed');
}

function pendingFor(message: string): Said {
  return { status: 'False', reason: 'Pending', message };
}

function cut({ status, reason, message }: Said): Said {
  return { status, reason, message: message.slice(0, LONGEST_MESSAGE) };
}
