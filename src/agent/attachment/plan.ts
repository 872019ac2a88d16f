import type { PolicyIntent } from '../../controller/vmnetwork/plan.ts';
import type { ErrorCode } from '../../lib/errors.ts';
import { ERRORS } from '../../lib/errors.ts';
import type { Policy } from '../../native/policy-abi.ts';
import type { FoundCard } from '../wiring/card-key.ts';
import { GATEWAY_MAC, TAP_MTU } from '../wiring/identity.ts';
import type { AttachmentRecord, RecordedViolations } from '../wiring/record.ts';
import type { TapHolder } from '../host/kernel.ts';
import type { EndProgress } from '../vm-control/endings.ts';
import type { DesiredAttachment } from './desired.ts';
import { intendedPolicy } from './intended-policy.ts';
import type { PolicyContext } from './intended-policy.ts';
import { isInUse } from './observed.ts';
import type { ObservedAttachment } from './observed.ts';
import { planEnd } from './ending.ts';
import { answerViolations, sameViolations } from './violations.ts';
import type { ViolationAnswer } from './violations.ts';

/*
 * Theory of operation
 *
 * One pass asks, per attachment: given what is wanted and what is there, what is to be done? The answer is computed
 * here and nowhere else, without I/O. It is carried out, the kernel is read again, and the question is asked again,
 * until the answer is "nothing": only then is the attachment as wanted, and only such an answer may become `Enforced`.
 *
 * States follow from the observation, they are not stored:
 *
 *   nothing            -> close-tap (record, tap, deny-all programs)            Pending
 *   a tap at fault     -> link-down, close-tap                                  Pending
 *   other programs     -> replace-filter, with the wanted policy in place
 *   another policy     -> write-policy: one atomic commit
 *   not wired          -> settings, link, link-up, route, neighbour
 *   nothing to do      ->                                                        Denied | Enforced
 *   too many violations -> write-policy: quarantined; note-violations, perhaps end-vm   Enforced, nothing passes
 *   not wanted, unused -> tear-down
 *   not to be trusted  -> write-policy(null) or link-down, nothing else         Error
 *
 * Order matters: closing actions come first, a policy comes before the link goes up. Whatever the order, no action
 * opens more than the wanted policy does, so stopping between two of them is safe.
 */

export type Action =
  /** Record, closed tap, verified programs; also closes a tap whose programs are at fault. */
  | { readonly kind: 'close-tap'; readonly vm: string }
  | { readonly kind: 'link-down'; readonly ifindex: number }
  | { readonly kind: 'replace-filter'; readonly ifindex: number; readonly policy: Policy | null }
  | { readonly kind: 'write-policy'; readonly policy: Policy | null }
  | { readonly kind: 'settings' }
  | { readonly kind: 'link'; readonly ifindex: number; readonly mac: string; readonly mtu: number }
  | { readonly kind: 'link-up'; readonly ifindex: number }
  | { readonly kind: 'drop-route'; readonly ifindex: number; readonly address: string }
  | { readonly kind: 'add-route'; readonly ifindex: number; readonly address: string }
  | { readonly kind: 'drop-neighbour'; readonly ifindex: number; readonly address: string }
  | {
      readonly kind: 'set-neighbour';
      readonly ifindex: number;
      readonly address: string;
      readonly mac: string;
    }
  /** Remembers which network gave the policy in force, null while that is about to change; see intendedPolicy. */
  | { readonly kind: 'note-network'; readonly network: string | null }
  /** Remembers how the VM's violations were answered. */
  | { readonly kind: 'note-violations'; readonly violations: RecordedViolations | null }
  /** Begins to end the process that holds the tap; see ending.ts. */
  | { readonly kind: 'end-vm'; readonly holder: TapHolder }
  /** A filter of ours that is beside the one in force goes, with its pins; see former-filters.ts. */
  | { readonly kind: 'retire-pins'; readonly ifindex: number; readonly pins: string }
  /** Removes tap, pins and record, unless somebody turns out to hold the tap. */
  | { readonly kind: 'tear-down' }
  | FoundAction
  | EngineAction;

/** What is done to a userspace engine; see userspace/plan.ts. */
export type EngineAction =
  /** Its process is killed: what it let pass, and whatever else, ends. */
  | { readonly kind: 'end-engine' }
  /** Ends it, and the record forgets it. */
  | { readonly kind: 'release-engine' };

/** What is done to a link that somebody else made; see found/plan.ts. */
export type FoundAction =
  /** Verified programs with deny-all, where there are none or they are at fault. */
  | { readonly kind: 'close-link'; readonly ifindex: number }
  | { readonly kind: 'leave-bridge'; readonly ifindex: number }
  /** Chooses the guest's address, once for the life of the record. */
  | { readonly kind: 'make-record'; readonly card: FoundCard }
  /** Its interface is gone, and its programs with it. */
  | { readonly kind: 'remove-pins' };

/** Why nothing more can be done for now; the attachment is closed as far as can be. */
export interface Blocked {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
}

export interface Plan {
  /** In order; empty when all is as wanted, or nothing may be touched. */
  readonly actions: readonly Action[];
  readonly blocked: Blocked | null;
  /** The policy that should be in force once the actions are done. */
  readonly policy: Policy | null;
}

export interface PlanContext extends PolicyContext {
  /** Wall clock, ISO 8601. */
  readonly now: string;
  /** The standing guard (nftables) was seen in force in this pass. Without it nothing new is allowed. */
  readonly guarded: boolean;
  /** How far the ending of a VM is that was noted to be ended. */
  readonly endingOf: (process: TapHolder) => EndProgress;
}

export function plan(desired: DesiredAttachment, observed: ObservedAttachment, context: PlanContext): Plan {
  if (observed.link !== null && observed.link.owner === null) {
    // Without our alias but with our programs on it: ours once, so it is closed, and left alone otherwise.
    return observed.fault === null ? closed(observed, foreignTap(observed.tap)) : notOurs(observed);
  }
  if (observed.record.state === 'unreadable') {
    const { error } = observed.record;
    return closed(observed, { code: error.code, message: error.message, remedy: error.remedy });
  }
  const inUse = isInUse(observed);
  if (desired.want === 'gone' && !inUse) return isGone(observed) ? NOTHING : TEAR_DOWN;
  if (observed.record.state === 'absent') {
    if (observed.link !== null) return inUse ? closed(observed, recordLost(observed.tap)) : TEAR_DOWN;
    return desired.vm === null ? TEAR_DOWN : { ...NOTHING, actions: [{ kind: 'close-tap', vm: desired.vm }] };
  }
  const { record } = observed.record;
  if (desired.vm !== null && desired.vm !== record.vm) return closed(observed, wrongVm(record, desired.vm));
  return converge(desired, observed, record, context);
}

export const NOTHING: Plan = { actions: [], blocked: null, policy: null };
const TEAR_DOWN: Plan = { actions: [{ kind: 'tear-down' }], blocked: null, policy: null };

function converge(
  desired: DesiredAttachment,
  observed: ObservedAttachment,
  record: AttachmentRecord,
  context: PlanContext,
): Plan {
  const { link } = observed;
  if (link === null) {
    const actions: Action[] = [{ kind: 'close-tap', vm: record.vm }];
    // Renamed or moved to another namespace while a VM holds it: out of our sight, but not out of our policy's reach.
    if (isElsewhere(observed)) actions.unshift({ kind: 'write-policy', policy: null });
    return { ...NOTHING, actions };
  }
  const { ifindex } = link;
  const intent = desired.want === 'program' ? desired.intent : null;
  if (observed.fault !== null) {
    const actions: Action[] = link.up ? [{ kind: 'link-down', ifindex }] : [];
    // What the kernel counted goes with the maps.
    const { answered } = answersTo(intent, observed, record, context);
    return { ...NOTHING, actions: [...actions, ...answered, { kind: 'close-tap', vm: record.vm }] };
  }
  return enforce(intent, observed, record, ifindex, context);
}

function answersTo(
  intent: PolicyIntent | null,
  { crossings }: ObservedAttachment,
  record: AttachmentRecord,
  { now }: PlanContext,
): { readonly answer: ViolationAnswer; readonly answered: readonly Action[] } {
  const recorded = record.violations ?? null;
  const answer = answerViolations(intent, recorded, crossings, now);
  if (sameViolations(answer.recorded, recorded)) return { answer, answered: [] };
  return { answer, answered: [{ kind: 'note-violations', violations: answer.recorded }] };
}

/**
 * Policy, wiring and the answer to violations, for a link whose programs are in their places. Of a tap that we made or that
 * was found.
 */
export function enforce(
  intent: PolicyIntent | null,
  observed: ObservedAttachment,
  record: AttachmentRecord,
  ifindex: number,
  context: PlanContext,
): Plan {
  const actions: Action[] = [];
  const recorded = record.violations ?? null;
  const { answer, answered } = answersTo(intent, observed, record, context);
  const rule = intent !== null && answer.quarantined ? { ...intent, quarantined: true } : intent;
  // The answer begins to matter: the next crossing is to be told even by a VM that never stopped since the last one.
  const renew = recorded === null && answer.recorded !== null && context.guarded;
  const wanted = rule === null ? null : intendedPolicy(rule, record, observed.policy, { ...context, renew });
  const unchanged = isInForce(observed, wanted);
  const withheld = wanted !== null && !unchanged && !context.guarded;
  const policy = withheld ? null : wanted;
  const handOver = intent !== null && record.network !== null && record.network !== intent.network;
  if (handOver && !withheld && !unchanged) actions.push({ kind: 'note-network', network: null });
  if (needsPrograms(observed)) {
    if (answered.length > 0 && answer.quarantined) actions.push({ kind: 'write-policy', policy: null });
    actions.push(...answered, { kind: 'replace-filter', ifindex, policy });
  } else {
    // First the answer itself: it is one write, the note takes a disk.
    if (!isInForce(observed, policy)) actions.push({ kind: 'write-policy', policy });
    actions.push(...answered);
  }
  actions.push(...wire(observed, record, ifindex, context.guarded));
  if (intent !== null && !withheld && record.network !== intent.network) {
    actions.push({ kind: 'note-network', network: intent.network });
  }
  const toEnd = recorded?.toEnd === true && answered.length === 0;
  const ending = toEnd ? planEnd(recorded, observed, context.endingOf) : null;
  actions.push(...(ending?.actions ?? []));
  return { actions, blocked: context.guarded ? (ending?.blocked ?? null) : UNGUARDED, policy };
}

/** Everything that lets allowed frames travel. None of it opens anything by itself. */
function wire(
  observed: ObservedAttachment,
  record: AttachmentRecord,
  ifindex: number,
  guarded: boolean,
): Action[] {
  const { link } = observed;
  const actions: Action[] = [];
  if (link === null) return actions;
  if (observed.wrongSettings.length > 0) actions.push({ kind: 'settings' });
  if (link.mac !== GATEWAY_MAC || link.mtu !== TAP_MTU) {
    actions.push({ kind: 'link', ifindex, mac: GATEWAY_MAC, mtu: TAP_MTU });
  }
  if (!link.up) {
    if (!guarded) return actions;
    actions.push({ kind: 'link-up', ifindex });
  }
  for (const address of observed.routes) {
    if (address !== record.guestAddress) actions.push({ kind: 'drop-route', ifindex, address });
  }
  if (!observed.routes.includes(record.guestAddress)) {
    actions.push({ kind: 'add-route', ifindex, address: record.guestAddress });
  }
  const neighbour = { address: record.guestAddress, mac: record.guestMac };
  for (const { address } of observed.neighbours) {
    if (address !== neighbour.address) actions.push({ kind: 'drop-neighbour', ifindex, address });
  }
  if (
    !observed.neighbours.some(({ address, mac }) => address === neighbour.address && mac === neighbour.mac)
  ) {
    actions.push({ kind: 'set-neighbour', ifindex, ...neighbour });
  }
  return actions;
}

/** Closes what must not be trusted, by the least that closes it, and leaves it otherwise alone. */
function closed(observed: ObservedAttachment, blocked: Blocked): Plan {
  const { link } = observed;
  const actions: Action[] = [];
  if (link?.up === true && observed.fault !== null)
    actions.push({ kind: 'link-down', ifindex: link.ifindex });
  else if (link !== null && observed.fault === null && needsPrograms(observed))
    // What another version calls an empty policy, or whether it has one, is not known: only programs of ours are.
    actions.push({ kind: 'replace-filter', ifindex: link.ifindex, policy: null });
  else if (observed.filter.policyState !== 'empty' && observed.pinned)
    actions.push({ kind: 'write-policy', policy: null });
  return { actions, blocked, policy: null };
}

/** `unknown`: the programs judge by something that the pins do not show; only fresh ones make it known again. */
export function needsPrograms({ currentProgram, stagedReplacement, filter }: ObservedAttachment): boolean {
  return !currentProgram || stagedReplacement || filter.policyState === 'unknown';
}

function isInForce(observed: ObservedAttachment, policy: Policy | null): boolean {
  if (policy === null) return observed.filter.policyState === 'empty';
  return observed.policy === policy;
}

/** The tap is not where its name says, and its programs still run on some interface, by a policy. */
export function isElsewhere({ link, filter, pinned }: ObservedAttachment): boolean {
  if (link !== null || !pinned || filter.policyState === 'empty') return false;
  return (filter.fromVm?.ifindex ?? 0) !== 0 || (filter.toVm?.ifindex ?? 0) !== 0;
}

function isGone({ link, record, pinned }: ObservedAttachment): boolean {
  return link === null && record.state === 'absent' && !pinned;
}

function notOurs({ tap }: ObservedAttachment): Plan {
  return { actions: [], blocked: foreignTap(tap), policy: null };
}

function foreignTap(tap: string): Blocked {
  const message = `interface ${tap} does not carry our alias: it is not brought up or wired, and the VM has no network`;
  return { code: 'VMN_TAP_NOT_OURS', message, remedy: ERRORS.VMN_TAP_NOT_OURS.remedy };
}

function recordLost(tap: string): Blocked {
  return {
    code: 'VMN_STATE_UNREADABLE',
    message: `the tap ${tap} is in use but its record is gone, so the guest's address is not known any more`,
    remedy: 'Restore the record, or stop the VM: the tap is then removed and made anew.',
  };
}

function wrongVm({ tap, vm }: AttachmentRecord, wanted: string): Blocked {
  return {
    code: 'VMN_TAP_NOT_OURS',
    message: `the tap ${tap} belongs to VM ${vm}, not to ${wanted}, whose name leads to the same tap name`,
    remedy: 'Give one of the two VMs another name.',
  };
}

export const UNGUARDED: Blocked = {
  code: 'VMN_NFT_FAILED',
  message:
    'the standing guard (nftables table inet vmnetwork) is not known to be in force, so nothing new is allowed and nothing counts as enforced',
  remedy: 'See the problem of the host.',
};
