import type { ConditionReason } from '../../api/v1alpha1/conditions.ts';
import { CONDITION_REASONS } from '../../api/v1alpha1/conditions.ts';
import type { VmNetworkSpec } from '../../api/v1alpha1/vm-network-spec.ts';
import type { Network } from '../kinds.ts';
import type { PlannedCondition } from './acceptance.ts';
import { compare } from './age.ts';
import type { AttachmentPlan } from './attachment-plan.ts';
import type { CardReport, Said } from './attachment-report.ts';
import { boundCondition } from './binding.ts';
import type { SelectedVm } from './binding.ts';
import type { Judgement } from './judgement.ts';

export interface ConditionsInput {
  readonly network: Network;
  readonly judgement: Judgement;
  readonly vms: readonly SelectedVm[];
  readonly plan: AttachmentPlan;
  /** One for each card that is wanted. */
  readonly cards: readonly CardReport[];
  /** What the API server said when an attachment could not be written. */
  readonly failure?: string | undefined;
  /** What its end waits for, if it is being deleted. */
  readonly end: string;
}

/** The conditions of a network, in the order in which they build on each other. Pure. */
export function planConditions(input: ConditionsInput): PlannedCondition[] {
  const { network, judgement, vms } = input;
  const accepted = judgement.accepted;
  const bound = boundCondition(network, vms);
  const first = [accepted, bound, programmedCondition(input), enforcedCondition(input)];
  const guest = [provisionedCondition(input), tunnelCondition(input), ...bypassCondition(input)];
  const all = [...first, ...guest];
  return [...all, readyCondition(input, all), reconcilingCondition(input, all), stalledCondition(all)];
}

/** Nothing passes, and why; null when something is to be enforced. */
function nothing({ network, judgement, plan, vms }: ConditionsInput): string | null {
  if (network.metadata.deletionTimestamp !== undefined)
    return 'it is being deleted; its VMs are closed before it goes';
  if (judgement.verdict === 'refused') return 'the network is refused; nothing passes';
  if (plan.desired > 0) return null;
  const owned = vms.find(({ owner }) => owner.metadata.uid === network.metadata.uid);
  if (owned === undefined) return 'no VM is bound to it';
  return `VM ${owned.vm.name} on ${owned.nodeName} has no network card that its host reports`;
}

function programmedCondition(input: ConditionsInput): PlannedCondition {
  const type = 'Programmed';
  const why = nothing(input);
  if (why !== null) return { type, status: 'False', reason: 'Denied', message: why };
  if (input.failure !== undefined) {
    return { type, status: 'False', reason: 'ProgrammingFailed', message: input.failure };
  }
  const { cards } = input;
  const late = cards.filter(({ programmed }) => programmed.status !== 'True');
  if (late.length > 0) return { type, ...worst(late, ({ programmed }) => programmed, cards.length) };
  const message = `${cards.length} of ${cards.length} attachments`;
  return { type, status: 'True', reason: 'Programmed', message };
}

function enforcedCondition(input: ConditionsInput): PlannedCondition {
  const type = 'Enforced';
  const why = nothing(input);
  if (why !== null) return { type, status: 'False', reason: 'Denied', message: why };
  const spec = specOf(input);
  const { cards } = input;
  const late = cards.filter(({ enforced }) => !isAsAsked(enforced, spec));
  const broken = late.filter(({ enforced, stale }) => !stale && isBroken(enforced));
  const stale = cards.filter((card) => card.stale);
  if (broken.length > 0) return { type, ...worst(broken, ({ enforced }) => enforced, cards.length) };
  if (stale.length > 0) return agentStale(stale);
  if (late.length > 0) return { type, ...worst(late, ({ enforced }) => enforced, cards.length) };
  const message = `${cards.length} of ${cards.length} attachments read back and found equal`;
  const inPart = cards.find(({ enforced }) => enforced.status !== 'True');
  const chosen = inPart ?? cards.find(({ enforced }) => enforced.reason === 'Quarantined');
  const told = chosen === undefined ? message : `${message}; ${chosen.title}: ${chosen.enforced.message}`;
  const isQuarantined = cards.length > 0 && cards.every(({ enforced }) => enforced.reason === 'Quarantined');
  // But for deny-all it is never True, whatever an agent says.
  if (spec?.mode === 'Direct' && !isQuarantined)
    return { type, status: 'False', reason: 'NotHostEnforced', message: told };
  if (chosen === undefined) return { type, status: 'True', reason: 'Verified', message: told };
  const { status, reason } = chosen.enforced;
  return { type, status, reason: known(reason, 'Verified'), message: told };
}

/** What a policy leaves unenforced by its own terms is as asked for; see docs/adr/0012. */
export function isAsAsked(
  { status, reason }: Pick<Said, 'status' | 'reason'>,
  spec: VmNetworkSpec | null,
): boolean {
  if (status === 'True') return true;
  if (spec?.mode === 'Direct') return reason === 'NotHostEnforced';
  if (spec?.enforcement === 'Audit') return reason === 'AuditOnly';
  return spec?.mode === 'Sampled' && reason === 'SampledInPart';
}

function agentStale(stale: readonly CardReport[]): PlannedCondition {
  const hosts = [...new Set(stale.map(({ nodeName }) => nodeName))].sort(compare);
  const shown = hosts.slice(0, 3).join(', ') + (hosts.length > 3 ? ` and ${hosts.length - 3} more` : '');
  const what = stale.every((card) => card.lost === true)
    ? `the VMNetworkNode of ${shown} is missing, or tells nothing yet`
    : `the agent of ${shown} has not been heard from`;
  const message = `${what}; the filter in the kernel stays`;
  return { type: 'Enforced', status: 'Unknown', reason: 'AgentStale', message };
}

function provisionedCondition(input: ConditionsInput): PlannedCondition {
  const type = 'GuestProvisioned';
  const spec = specOf(input);
  const asked = spec?.wireGuard.peerPublicKey !== undefined && spec.cloudInit.delivery !== 'None';
  if (spec !== null && !asked) {
    const message = 'no wireGuard.peerPublicKey, or cloudInit.delivery is None';
    return { type, status: 'False', reason: 'NotRequested', message };
  }
  const said = gathered(type, input, ({ provisioned }) => provisioned, 'Provisioned');
  const isWorse = said.status === 'False' || said.reason === 'AgentStale';
  const shared = spec === null || isWorse ? null : sharedAddresses(input.cards, spec.wireGuard.addresses);
  return shared === null ? said : { type, status: 'False', reason: 'AddressesTaken', message: shared };
}

/** A tunnel has one end in one guest: a consumer sends what is for an address to one of its peers. Null: there is one. */
function sharedAddresses(cards: readonly CardReport[], addresses: readonly string[]): string | null {
  const [first, ...others] = cards.map(({ title }) => title);
  if (first === undefined || others.length === 0) return null;
  const more = others.length === 1 ? '' : ` and ${others.length - 1} more`;
  return `${first} has the addresses inside the tunnel, ${addresses.join(', ')}, and so have ${others[0] ?? ''}${more}: their consumer reaches one of them. Give each VM a VMNetwork of its own`;
}

function tunnelCondition(input: ConditionsInput): PlannedCondition {
  const type = 'TunnelEstablished';
  if (specOf(input)?.mode === 'Direct') {
    return {
      type,
      status: 'Unknown',
      reason: 'NotHostEnforced',
      message: 'mode Direct: the host does not look',
    };
  }
  return gathered(type, input, ({ tunnel }) => tunnel, 'HandshakeSeen');
}

/** One, if a guest was given a firewall; else none. The host holds them all the same: nothing waits for it. */
function bypassCondition(input: ConditionsInput): PlannedCondition[] {
  const type = 'GuestFirewallBypassed';
  const cards = nothing(input) === null ? input.cards.filter(({ bypassed }) => bypassed !== null) : [];
  if (cards.length === 0) return [];
  for (const status of ['True', 'Unknown'] as const) {
    const card = cards.find(({ bypassed }) => bypassed?.status === status);
    if (card !== undefined) return [{ type, status, ...saidOf(card, ({ bypassed }) => bypassed) }];
  }
  const message = `nothing was seen that the firewall of ${cards.length} of ${input.cards.length} guests would have stopped`;
  return [{ type, status: 'False', reason: 'NoneSeen', message }];
}

/**
 * As asked for is Ready: Direct, Sampled and Audit are asked for; a VM that was quarantined for what it did is not. A tunnel
 * that the consumer has not dialled is not for us to wait for; a guest that is known not to be provisioned is. One of which its
 * agent says nothing is not waited for: there are agents that provision nothing, and a VM is held without.
 *
 * Its reason and message are those of the condition that tells what is going on: people see this one.
 */
function readyCondition(input: ConditionsInput, conditions: readonly PlannedCondition[]): PlannedCondition {
  const type = 'Ready';
  const { cards } = input;
  const missing = conditions.filter(({ type: of, status, reason }) => {
    if (of === 'TunnelEstablished' || of === 'GuestFirewallBypassed') return false;
    if (of === 'GuestProvisioned') {
      return reason === 'AgentStale' || (status === 'False' && !NOT_WAITED_FOR.has(reason));
    }
    return !isAsAsked({ status, reason }, specOf(input));
  });
  if (missing.length > 0) {
    const status = missing.every((condition) => condition.status === 'Unknown') ? 'Unknown' : 'False';
    // The first: they build on each other. What is late or closed tells less than what keeps it so.
    const told = missing.find(({ reason }) => reason !== 'Pending' && reason !== 'Denied') ?? missing[0];
    const { type: of, reason, message } = told ?? { type, reason: 'NotReady', message: '' };
    return { type, status, reason, message: `${of}: ${message}` };
  }
  const condemned = cards.filter(({ enforced }) => enforced.reason === 'Quarantined');
  if (condemned.length > 0 && specOf(input)?.desiredState !== 'Quarantined') {
    const { title, enforced } = condemned[0] ?? { title: '', enforced: { message: '' } };
    return {
      type,
      status: 'False',
      reason: 'Quarantined',
      message: `${title} is quarantined: ${enforced.message}`,
    };
  }
  const message = 'everything asked for holds';
  const inForce = conditions.find(({ type: of }) => of === 'Enforced');
  if (inForce === undefined || inForce.reason === 'Verified') {
    return { type, status: 'True', reason: 'Ready', message };
  }
  // What was asked for is not that the filter judges every frame, and nobody is to think so.
  return { type, status: 'True', reason: inForce.reason, message: `${message}; ${inForce.message}` };
}

/** Of a guest: nothing is to be done, or it was told what it is to be told, and its consumer has the choice. */
const NOT_WAITED_FOR: ReadonlySet<string> = new Set<ConditionReason>(['NotRequested', 'AddressesTaken']);

/** What does not get better by itself: somebody has to change something. */
const NEEDS_SOMEBODY: ReadonlySet<string> = new Set<ConditionReason>([
  'Invalid',
  'ClassNotFound',
  'DeniedByClass',
  'InvalidSecret',
  'Conflict',
  'UnsupportedBackend',
]);

function stalledCondition(conditions: readonly PlannedCondition[]): PlannedCondition {
  const type = 'Stalled';
  const found = conditions.find(({ status, reason }) => status !== 'True' && NEEDS_SOMEBODY.has(reason));
  return found === undefined
    ? { type, status: 'False', reason: 'Settled', message: 'nothing needs attention' }
    : { type, status: 'True', reason: 'NeedsAttention', message: `see ${found.type}` };
}

function reconcilingCondition(
  input: ConditionsInput,
  conditions: readonly PlannedCondition[],
): PlannedCondition {
  const type = 'Reconciling';
  const { plan, network } = input;
  const pending = conditions.filter(
    ({ type: of, reason }) => (of === 'Programmed' || of === 'Enforced') && reason === 'Pending',
  );
  const leaving = network.metadata.deletionTimestamp !== undefined;
  if (leaving || pending.length > 0 || plan.remove.length > 0) {
    const message = leaving ? input.end : 'the hosts are asked to enforce it';
    return { type, status: 'True', reason: 'Progressing', message };
  }
  return { type, status: 'False', reason: 'Settled', message: 'no work is under way' };
}

/** What says most of what is missing: a failure before what is only late. `late` has at least one. */
function worst(
  late: readonly CardReport[],
  of: (card: CardReport) => Said,
  wanted: number,
): Omit<PlannedCondition, 'type'> {
  const card = late.find((one) => isBroken(of(one))) ?? late[0];
  const done = `${wanted - late.length} of ${wanted} attachments`;
  if (card === undefined) return { status: 'False', reason: 'Pending', message: done };
  const { status, reason, message } = of(card);
  return {
    status: status === 'Unknown' ? 'Unknown' : 'False',
    reason: known(reason, 'Pending'),
    message: `${done}; ${card.title}: ${message}`,
  };
}

/** What is said of the guests, all of them: a failure, else what is missing, else what is not known. */
function gathered(
  type: PlannedCondition['type'],
  input: ConditionsInput,
  of: (card: CardReport) => Said | null,
  good: ConditionReason,
): PlannedCondition {
  const why = nothing(input);
  if (why !== null) return { type, status: 'Unknown', reason: 'Pending', message: why };
  const { cards } = input;
  const bad = cards.filter((card) => of(card)?.status === 'False');
  const failed = bad.find((card) => of(card)?.reason !== 'Pending') ?? bad[0];
  if (failed !== undefined) return { type, status: 'False', ...saidOf(failed, of) };
  const open = cards.filter((card) => of(card)?.status !== 'True');
  const unknown = open.find((card) => card.stale) ?? open[0];
  if (unknown !== undefined) return { type, status: 'Unknown', ...saidOf(unknown, of) };
  return { type, status: 'True', reason: good, message: `${cards.length} of ${cards.length} attachments` };
}

function saidOf(
  card: CardReport,
  of: (card: CardReport) => Said | null,
): Pick<PlannedCondition, 'reason' | 'message'> {
  const { reason = 'Pending', message = 'its agent has said nothing of it' } = of(card) ?? {};
  return { reason: known(reason, 'Pending'), message: `${card.title}: ${message}` };
}

/** Reasons of an agent that is newer than this controller are not repeated as constants. */
function known(reason: string, otherwise: ConditionReason): ConditionReason {
  return Object.hasOwn(CONDITION_REASONS, reason) ? (reason as ConditionReason) : otherwise;
}

function isBroken({ status, reason }: Said): boolean {
  return status === 'False' && reason !== 'Pending' && reason !== 'Denied';
}

/** The spec, unless the network is refused. */
export function specOf({ judgement }: Pick<ConditionsInput, 'judgement'>): VmNetworkSpec | null {
  return judgement.verdict === 'refused' ? null : judgement.spec;
}
