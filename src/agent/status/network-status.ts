import type { NetworkPlan, PlannedCondition } from '../../controller/vmnetwork/plan.ts';
import type { AttachmentStatus, NetworkStatus } from './status.ts';
import type { ConditionHistory } from './condition-history.ts';

export interface NetworkReportInput {
  readonly plan: NetworkPlan;
  readonly file: string;
  readonly generation: number;
  /** Of the VMs bound to it. */
  readonly attachments: readonly AttachmentStatus[];
  readonly quarantined: boolean;
}

/** Status of one network, from those of its attachments. */
export function networkStatus(input: NetworkReportInput, history: ConditionHistory): NetworkStatus {
  const { plan, file, generation } = input;
  const programmed = programmedCondition(input);
  const enforced = enforcedCondition(input);
  const conditions = [plan.accepted, plan.bound, programmed, enforced];
  const ready = readyCondition(conditions);
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
  const done = attachments.filter(({ state }) => state === 'Enforced').length;
  if (done < plan.vms.length) return notAll(type, attachments, plan.vms.length);
  return { type, status: 'True', reason: 'Programmed', message: `${done} of ${plan.vms.length} attachments` };
}

function enforcedCondition({ plan, attachments, quarantined }: NetworkReportInput): PlannedCondition {
  const type = 'Enforced';
  if (plan.accepted.status !== 'True') return denied(type, 'the network is refused; nothing passes');
  if (plan.vms.length === 0) return denied(type, 'no VM is bound to it');
  const verified = attachments.filter(
    ({ state, enforced }) => state === 'Enforced' && enforced !== null,
  ).length;
  if (verified < plan.vms.length) return notAll(type, attachments, plan.vms.length);
  const message = `${verified} of ${plan.vms.length} attachments read back and found equal`;
  return quarantined
    ? {
        type,
        status: 'True',
        reason: 'Quarantined',
        message: `${message}; the kill switch is set, nothing passes`,
      }
    : { type, status: 'True', reason: 'Verified', message };
}

function readyCondition(conditions: readonly PlannedCondition[]): PlannedCondition {
  const missing = conditions.filter(({ status }) => status !== 'True').map(({ type }) => type);
  return missing.length === 0
    ? { type: 'Ready', status: 'True', reason: 'Ready', message: 'everything asked for holds' }
    : { type: 'Ready', status: 'False', reason: 'NotReady', message: `see ${missing.join(', ')}` };
}

function notAll(
  type: PlannedCondition['type'],
  attachments: readonly AttachmentStatus[],
  wanted: number,
): PlannedCondition {
  const late = attachments.find(({ state }) => state !== 'Enforced');
  if (late === undefined)
    return { type, status: 'False', reason: 'Pending', message: `0 of ${wanted} attachments` };
  const reason = late.state === 'Denied' ? 'Denied' : late.state === 'Error' ? 'ReadBackMismatch' : 'Pending';
  return { type, status: 'False', reason, message: `VM ${late.vm}: ${late.message}` };
}

function denied(type: PlannedCondition['type'], message: string): PlannedCondition {
  return { type, status: 'False', reason: 'Denied', message };
}
