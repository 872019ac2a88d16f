import type { ErrorCode } from '../../lib/errors.ts';
import { ERRORS } from '../../lib/errors.ts';
import type { Policy } from '../../native/policy-abi.ts';
import { GATEWAY_MAC, TAP_MTU } from '../wiring/identity.ts';
import type { AttachmentRecord } from '../wiring/record.ts';
import type { DesiredAttachment } from './desired.ts';
import { intendedPolicy } from './intended-policy.ts';
import type { PolicyContext } from './intended-policy.ts';
import { isInUse } from './observed.ts';
import type { ObservedAttachment } from './observed.ts';

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
  /** Removes tap, pins and record, unless somebody turns out to hold the tap. */
  | { readonly kind: 'tear-down' };

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
  /** The standing guard (nftables) was seen in force in this pass. Without it nothing new is allowed. */
  readonly guarded: boolean;
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

const NOTHING: Plan = { actions: [], blocked: null, policy: null };
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
  const actions: Action[] = [];
  if (observed.fault !== null) {
    if (link.up) actions.push({ kind: 'link-down', ifindex });
    actions.push({ kind: 'close-tap', vm: record.vm });
    return { ...NOTHING, actions };
  }

  const intent = desired.want === 'program' ? desired.intent : null;
  const wanted = intent === null ? null : intendedPolicy(intent, record, observed.policy, context);
  const unchanged = isInForce(observed, wanted);
  const withheld = wanted !== null && !unchanged && !context.guarded;
  const policy = withheld ? null : wanted;
  const handOver = intent !== null && record.network !== null && record.network !== intent.network;
  if (handOver && !withheld && !unchanged) actions.push({ kind: 'note-network', network: null });
  // `unknown`: the programs judge by something that the pins do not show; only fresh ones make it known again.
  const replace =
    !observed.currentProgram || observed.stagedReplacement || observed.filter.policyState === 'unknown';
  if (replace) {
    actions.push({ kind: 'replace-filter', ifindex, policy });
  } else if (!isInForce(observed, policy)) {
    actions.push({ kind: 'write-policy', policy });
  }
  actions.push(...wire(observed, record, ifindex, context.guarded));
  if (intent !== null && !withheld && record.network !== intent.network) {
    actions.push({ kind: 'note-network', network: intent.network });
  }
  return { actions, blocked: context.guarded ? null : UNGUARDED, policy };
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
  else if (observed.filter.policyState !== 'empty' && observed.pinned)
    actions.push({ kind: 'write-policy', policy: null });
  return { actions, blocked, policy: null };
}

function isInForce(observed: ObservedAttachment, policy: Policy | null): boolean {
  if (policy === null) return observed.filter.policyState === 'empty';
  return observed.policy === policy;
}

/** The tap is not where its name says, and its programs still run on some interface, by a policy. */
function isElsewhere({ link, filter, pinned }: ObservedAttachment): boolean {
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

const UNGUARDED: Blocked = {
  code: 'VMN_NFT_FAILED',
  message:
    'the standing guard (nftables table inet vmnetwork) is not in force, so nothing new is allowed and nothing counts as enforced',
  remedy: 'See the problem of the host about nftables.',
};
