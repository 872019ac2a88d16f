import { effectiveRatePerMillion } from '../../api/v1alpha1/vm-network-spec.ts';
import type { PlannedCondition } from '../../controller/vmnetwork/plan.ts';
import type { DeclaredNetwork } from '../source/wanted.ts';
import { detection, percent } from './detection.ts';
import type { AttachmentStatus, NetworkStatus } from './status.ts';
import type { ConditionHistory } from './condition-history.ts';

export interface NetworkReportInput extends DeclaredNetwork {
  readonly generation: number;
  /** Of the VMs bound to it. */
  readonly attachments: readonly AttachmentStatus[];
}

/** Status of one network, from those of its attachments. */
export function networkStatus(input: NetworkReportInput, history: ConditionHistory): NetworkStatus {
  const { plan, file, generation } = input;
  const programmed = programmedCondition(input);
  const enforced = enforcedCondition(input);
  const conditions = [plan.accepted, plan.bound, programmed, enforced];
  const ready = readyCondition(conditions, input);
  return {
    namespace: plan.namespace,
    name: plan.name,
    file,
    generation,
    mode: plan.mode,
    endpoint: plan.endpoint,
    conditions: history.stamp(plan.key, generation, [...conditions, ready]),
    attachments: plan.vms,
  };
}

function programmedCondition({ plan, attachments }: NetworkReportInput): PlannedCondition {
  const type = 'Programmed';
  if (plan.accepted.status !== 'True') return denied(type, 'the network is refused; nothing passes');
  if (plan.vms.length === 0) return denied(type, 'no VM is bound to it');
  const failed = attachments.find(({ state }) => state === 'Error');
  if (failed !== undefined) {
    return {
      type,
      status: 'False',
      reason: 'ProgrammingFailed',
      message: `VM ${failed.vm}: ${failed.message}`,
    };
  }
  const done = attachments.filter(isInForce).length;
  if (done < plan.vms.length) return notAll(type, attachments, plan.vms.length);
  return { type, status: 'True', reason: 'Programmed', message: `${done} of ${plan.vms.length} attachments` };
}

function enforcedCondition({ plan, attachments, spec }: NetworkReportInput): PlannedCondition {
  const type = 'Enforced';
  if (plan.accepted.status !== 'True') return denied(type, 'the network is refused; nothing passes');
  if (plan.vms.length === 0) return denied(type, 'no VM is bound to it');
  const verified = attachments.filter(isInForce).length;
  if (verified < plan.vms.length) return notAll(type, attachments, plan.vms.length);
  const message = `${verified} of ${plan.vms.length} attachments read back and found equal`;
  if (spec.desiredState === 'Quarantined') {
    const why = 'the kill switch is set, nothing passes';
    return { type, status: 'True', reason: 'Quarantined', message: `${message}; ${why}` };
  }
  const part = attachments.some(({ state }) => state === 'Programmed') ? inPart(spec) : null;
  if (part !== null) return { type, status: 'False', ...part, message: `${message}; ${part.message}` };
  const condemned = attachments.filter(isCondemned);
  return condemned.length === 0
    ? { type, status: 'True', reason: 'Verified', message }
    : { type, status: 'True', reason: 'Quarantined', message: `${message}; ${condemnation(condemned)}` };
}

/** What a policy that is in force leaves unenforced by its own terms. */
function inPart(spec: NetworkReportInput['spec']): Pick<PlannedCondition, 'reason' | 'message'> {
  if (spec.enforcement === 'Audit') {
    return { reason: 'AuditOnly', message: 'what would be dropped is counted, and passes' };
  }
  const rate = effectiveRatePerMillion(spec);
  const message = `${percent(rate)} of the frames are judged; ${detection(rate)}`;
  return { reason: 'SampledInPart', message };
}

/** As asked for is Ready: Sampled and Audit are asked for. A VM that was quarantined for what it did is not. */
function readyCondition(
  conditions: readonly PlannedCondition[],
  { attachments, spec }: NetworkReportInput,
): PlannedCondition {
  const missing = conditions.filter(({ status, reason }) => status !== 'True' && !AS_ASKED.has(reason));
  if (missing.length > 0) {
    const message = `see ${missing.map(({ type }) => type).join(', ')}`;
    return { type: 'Ready', status: 'False', reason: 'NotReady', message };
  }
  const condemned = attachments.filter(isCondemned);
  if (condemned.length > 0 && spec.desiredState === 'Active') {
    return { type: 'Ready', status: 'False', reason: 'NotReady', message: condemnation(condemned) };
  }
  return { type: 'Ready', status: 'True', reason: 'Ready', message: 'everything asked for holds' };
}

const AS_ASKED: ReadonlySet<string> = new Set<PlannedCondition['reason']>(['SampledInPart', 'AuditOnly']);

/** The intended policy was read back. */
function isInForce({ state, enforced }: AttachmentStatus): boolean {
  return (state === 'Enforced' || state === 'Programmed') && enforced !== null;
}

function isCondemned({ violations }: AttachmentStatus): boolean {
  return violations.quarantinedAt !== null;
}

function condemnation(condemned: readonly AttachmentStatus[]): string {
  const vms = condemned.map(({ vm, violations }) => `${vm} since ${violations.quarantinedAt ?? ''}`);
  return `quarantined for violations: VM ${vms.join(', VM ')}. To release, set desiredState: Quarantined, then Active`;
}

function notAll(
  type: PlannedCondition['type'],
  attachments: readonly AttachmentStatus[],
  wanted: number,
): PlannedCondition {
  const late = attachments.find((attachment) => !isInForce(attachment));
  if (late === undefined)
    return { type, status: 'False', reason: 'Pending', message: `0 of ${wanted} attachments` };
  const reason = late.state === 'Denied' ? 'Denied' : late.state === 'Error' ? 'ReadBackMismatch' : 'Pending';
  return { type, status: 'False', reason, message: `VM ${late.vm}: ${late.message}` };
}

function denied(type: PlannedCondition['type'], message: string): PlannedCondition {
  return { type, status: 'False', reason: 'Denied', message };
}
