import { effectiveRatePerMillion } from '../../api/v1alpha1/vm-network-spec.ts';
import type { PlannedCondition } from '../../controller/vmnetwork/plan.ts';
import type { DeclaredNetwork } from '../source/wanted.ts';
import { detection, percent } from './detection.ts';
import { bypassText } from './firewall-bypass.ts';
import type { AttachmentStatus, NetworkStatus } from './status.ts';
import type { ConditionHistory } from './condition-history.ts';

export interface NetworkReportInput extends DeclaredNetwork {
  readonly generation: number;
  /** Of the VMs bound to it. */
  readonly attachments: readonly AttachmentStatus[];
  /** Its network cards that cannot be filtered, with an attachment or without. */
  readonly unsupported: readonly UnsupportedCard[];
}

export interface UnsupportedCard {
  readonly vm: string;
  readonly mac: string;
  readonly reason: string;
}

/** Status of one network, from those of its attachments. */
export function networkStatus(input: NetworkReportInput, history: ConditionHistory): NetworkStatus {
  const { plan, file, generation } = input;
  const programmed = programmedCondition(input);
  const enforced = enforcedCondition(input);
  const conditions = [plan.accepted, plan.bound, programmed, enforced];
  const ready = readyCondition(conditions, input);
  const guest = [tunnelCondition(input), ...bypassCondition(input)];
  return {
    namespace: plan.namespace,
    name: plan.name,
    file,
    generation,
    mode: plan.mode,
    endpoint: plan.endpoint,
    conditions: history.stamp(plan.key, generation, [...conditions, ...guest, ready]),
    attachments: plan.vms,
  };
}

function programmedCondition(input: NetworkReportInput): PlannedCondition {
  const { plan, attachments } = input;
  const type = 'Programmed';
  if (plan.accepted.status !== 'True') return denied(type, 'the network is refused; nothing passes');
  if (plan.vms.length === 0) return denied(type, 'no VM is bound to it');
  const failed = attachments.find(({ state, detached }) => state === 'Error' && detached !== true);
  if (failed !== undefined) {
    return {
      type,
      status: 'False',
      reason: failed.engineLost === true ? 'EngineLost' : 'ProgrammingFailed',
      message: `VM ${failed.vm}: ${failed.message}`,
    };
  }
  const done = attachments.filter(isInForce).length;
  const wanted = wantedOf(input);
  if (done < wanted) return notAll(type, input, wanted);
  return { type, status: 'True', reason: 'Programmed', message: `${done} of ${wanted} attachments` };
}

function enforcedCondition(input: NetworkReportInput): PlannedCondition {
  const { plan, attachments, spec } = input;
  const type = 'Enforced';
  if (plan.accepted.status !== 'True') return denied(type, 'the network is refused; nothing passes');
  if (plan.vms.length === 0) return denied(type, 'no VM is bound to it');
  const verified = attachments.filter((one) => isInForce(one) && one.detached !== true).length;
  const wanted = wantedOf(input);
  if (verified < wanted) return notAll(type, input, wanted);
  const message = `${verified} of ${wanted} attachments read back and found equal`;
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
  if (spec.mode === 'Direct') {
    return { reason: 'NotHostEnforced', message: 'mode Direct: the host does not enforce' };
  }
  if (spec.enforcement === 'Audit') {
    return { reason: 'AuditOnly', message: 'what would be dropped is counted, and passes' };
  }
  const rate = effectiveRatePerMillion(spec);
  const message = `${percent(rate)} of the frames are judged; ${detection(rate)}`;
  return { reason: 'SampledInPart', message };
}

/** The worst of its VMs. Nothing waits for it: a consumer that has not dialled yet is not for this host to mend. */
function tunnelCondition({ attachments }: NetworkReportInput): PlannedCondition {
  const type = 'TunnelEstablished';
  const told = (['False', 'Unknown'] as const)
    .map((status) => attachments.find(({ tunnel }) => tunnel.status === status))
    .find((one) => one !== undefined);
  if (told !== undefined) {
    const { status, reason, message } = told.tunnel;
    return { type, status, reason, message: `VM ${told.vm}: ${message}` };
  }
  if (attachments.length === 0)
    return { type, status: 'Unknown', reason: 'Pending', message: 'no VM is bound to it' };
  const message = `${attachments.length} of ${attachments.length} attachments`;
  return { type, status: 'True', reason: 'HandshakeSeen', message };
}

/** One, if a guest was given a firewall; else none. Nothing waits for it: the host holds them all the same. */
function bypassCondition({ attachments }: NetworkReportInput): PlannedCondition[] {
  const given = attachments.filter(({ guest }) => guest !== undefined);
  const told = given.find(({ bypass }) => bypass !== undefined) ?? given[0];
  if (told === undefined) return [];
  const { message, ...said } = bypassText(told.bypass);
  return [{ type: 'GuestFirewallBypassed', ...said, message: `VM ${told.vm}: ${message}` }];
}

/** As asked for is Ready: Direct, Sampled and Audit are asked for. A VM that was quarantined for what it did is not. */
function readyCondition(
  conditions: readonly PlannedCondition[],
  { attachments, spec }: NetworkReportInput,
): PlannedCondition {
  const missing = conditions.filter(({ status, reason }) => status !== 'True' && !AS_ASKED.has(reason));
  if (missing.length > 0) {
    // Programmed and Enforced often miss the same thing.
    const said = new Map<string, string[]>();
    for (const { type, message } of missing) said.set(message, [...(said.get(message) ?? []), type]);
    const message = [...said].map(([what, types]) => `${types.join(', ')}: ${what}`).join('; ');
    return { type: 'Ready', status: 'False', reason: 'NotReady', message };
  }
  const condemned = attachments.filter(isCondemned);
  if (condemned.length > 0 && spec.desiredState === 'Active') {
    return { type: 'Ready', status: 'False', reason: 'NotReady', message: condemnation(condemned) };
  }
  return { type: 'Ready', status: 'True', reason: 'Ready', message: 'everything asked for holds' };
}

const AS_ASKED: ReadonlySet<string> = new Set<PlannedCondition['reason']>([
  'NotHostEnforced',
  'SampledInPart',
  'AuditOnly',
]);

/** How many attachments there are to be: one for each VM at least, and one for each card. */
function wantedOf({ plan, attachments, unsupported }: NetworkReportInput): number {
  const absent = unsupported.filter((card) => !attachments.some((one) => isSame(one, card)));
  const cards = [...attachments, ...absent].map(({ vm }) => vm);
  const timesIn = (list: readonly string[], vm: string): number => list.filter((one) => one === vm).length;
  const vms = [...new Set([...plan.vms, ...cards])];
  return vms.reduce((sum, vm) => sum + Math.max(timesIn(plan.vms, vm), timesIn(cards, vm)), 0);
}

/** The intended policy was read back. */
function isInForce({ state, enforced, detached }: AttachmentStatus): boolean {
  // What had been removed was put back, or there were nothing that was read.
  if (detached === true) return enforced !== null;
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
  { attachments, unsupported }: NetworkReportInput,
  wanted: number,
): PlannedCondition {
  const late = attachments.find((attachment) => attachment.detached === true || !isInForce(attachment));
  const card = unsupported.find((one) => late === undefined || isSame(late, one));
  if (card !== undefined) {
    const message = `VM ${card.vm}, network card ${card.mac}: ${card.reason}`;
    return { type, status: 'False', reason: 'UnsupportedBackend', message };
  }
  if (late === undefined) {
    const done = attachments.filter(isInForce).length;
    return { type, status: 'False', reason: 'Pending', message: `${done} of ${wanted} attachments` };
  }
  const lost = late.engineLost === true ? 'EngineLost' : 'ReadBackMismatch';
  const wrong = late.detached === true ? 'Detached' : lost;
  const reason = late.state === 'Denied' ? 'Denied' : late.state === 'Error' ? wrong : 'Pending';
  return { type, status: 'False', reason, message: `VM ${late.vm}: ${late.message}` };
}

type Card = Pick<UnsupportedCard, 'vm' | 'mac'>;

function isSame(a: Card, b: Card): boolean {
  return a.vm === b.vm && a.mac === b.mac;
}

function denied(type: PlannedCondition['type'], message: string): PlannedCondition {
  return { type, status: 'False', reason: 'Denied', message };
}
