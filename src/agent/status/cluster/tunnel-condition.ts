import type { PlannedCondition } from '../../../controller/vmnetwork/plan.ts';
import type { JudgedAttachment } from '../../source/cluster/judge.ts';
import { readBackOf } from './attachment-conditions.ts';
import type { CardOutcome } from './attachment-conditions.ts';

/** `TunnelEstablished` of an attachment whose policy was read back; of another one it is not known. Pure. */
export function tunnelCondition(judged: JudgedAttachment, outcome: CardOutcome | null): PlannedCondition {
  const type = 'TunnelEstablished';
  const proof = readBackOf(judged, outcome);
  if (proof === null) {
    return { type, status: 'Unknown', reason: 'Pending', message: 'its policy is not in force' };
  }
  const { status, reason, message } = proof.seen.tunnel;
  // The guest was told of no tunnel; it may have one of its own, and then that is told.
  if (reason === 'NoHandshake' && judged.attachment.spec?.policy.wireGuard === undefined)
    return { type, status, reason: 'NotRequested', message: `the guest is told of no tunnel; ${message}` };
  return { type, status, reason, message };
}
