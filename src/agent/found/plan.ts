import type { Action, Plan, PlanContext } from '../attachment/plan.ts';
import { enforce, isElsewhere, needsPrograms, NOTHING, UNGUARDED } from '../attachment/plan.ts';
import { planEnd } from '../attachment/ending.ts';
import type { EndPlan } from '../attachment/ending.ts';
import type { DesiredAttachment } from '../attachment/desired.ts';
import type { ObservedAttachment } from '../attachment/observed.ts';
import type { FoundCard } from '../wiring/card-key.ts';
import type { AttachmentRecord } from '../wiring/record.ts';
import { anotherCard, isOf } from './card-record.ts';

/*
 * Theory of operation
 *
 * As attachment/plan.ts, for a link that somebody else made: one answer a look, no I/O, until the answer is "nothing". The
 * link is theirs: it is closed, and while a card is bound to it, wired; it is never made, renamed or removed.
 *
 *   programs missing or at fault   -> close-link: deny-all, read back             Pending
 *   no card is bound               -> write-policy(null), unwired                 Denied; it stays in its bridge
 *   nothing may pass, and the VM of its card is to be ended (ending.ts): that, too, whatever the wishes say meanwhile
 *   bound, no record               -> make-record
 *   another card's policy          -> write-policy(null), before anything else
 *   in a bridge                    -> leave-bridge
 *   bound                          -> policy and wiring as of an own tap          Enforced
 *   link gone, programs gone       -> remove-pins
 *   link gone, programs elsewhere  -> write-policy(null): they judge by it there, too
 *   ... and its number is another's here -> close-link sets its pins aside
 *
 * No answer opens anything for a card unless the programs were read back in their places before. A step that fails leaves what
 * was closed closed; see failure.ts.
 */

export interface FoundWish {
  readonly desired: DesiredAttachment;
  /** That is bound to the link. */
  readonly card: FoundCard | null;
}

export function planFound(
  { desired, card }: FoundWish,
  observed: ObservedAttachment,
  context: PlanContext,
): Plan {
  const { link } = observed;
  if (link === null) return whatIsLeft(observed);
  const { ifindex } = link;
  if (observed.fault !== null) return { ...NOTHING, actions: [{ kind: 'close-link', ifindex }] };
  const intent = desired.want === 'program' ? desired.intent : null;
  if (intent === null || card === null)
    return ending(denied(observed, ifindex, context), card, observed, context);
  switch (observed.record.state) {
    case 'unreadable':
      return { ...denied(observed, ifindex, context), blocked: observed.record.error };
    case 'absent': {
      const plan = denied(observed, ifindex, context);
      return { ...plan, actions: [...plan.actions, { kind: 'make-record', card }] };
    }
    case 'ok': {
      const { record } = observed.record;
      if (!isOf(record, card))
        return { ...denied(observed, ifindex, context), blocked: anotherCard(record, card) };
      if (!isPolicyOf(observed, record)) return denied(observed, ifindex, context);
      // In a bridge it speaks to the bridge: only the guard is between them.
      if (link.master !== 0 && !context.guarded)
        return ending(denied(observed, ifindex, context), card, observed, context);
      const plan = enforce(intent, observed, record, ifindex, context);
      if (link.master === 0) return plan;
      return { ...plan, actions: [{ kind: 'leave-bridge', ifindex }, ...plan.actions] };
    }
  }
}

/** Pins whose link is not there. */
function whatIsLeft(observed: ObservedAttachment): Plan {
  if (!observed.pinned) return NOTHING;
  if (isElsewhere(observed)) return { ...NOTHING, actions: emptied(observed) };
  const { fromVm, toVm } = observed.filter;
  const isAttached = [fromVm, toVm].some((hook) => (hook?.ifindex ?? 0) !== 0);
  return isAttached ? NOTHING : { ...NOTHING, actions: [{ kind: 'remove-pins' }] };
}

/** Closed, and nothing of ours leads to it. */
function denied(observed: ObservedAttachment, ifindex: number, { guarded }: PlanContext): Plan {
  const actions: Action[] = needsPrograms(observed)
    ? [{ kind: 'replace-filter', ifindex, policy: null }]
    : emptied(observed);
  for (const address of observed.routes) actions.push({ kind: 'drop-route', ifindex, address });
  for (const { address } of observed.neighbours) actions.push({ kind: 'drop-neighbour', ifindex, address });
  return { actions, blocked: guarded ? null : UNGUARDED, policy: null };
}

/** Closes first, and then ends the VM that the record wants ended: its wish may have gone since, its process has not. */
function ending(
  plan: Plan,
  card: FoundCard | null,
  { record, ...rest }: ObservedAttachment,
  { endingOf }: PlanContext,
): Plan {
  if (card === null || record.state !== 'ok' || !isOf(record.record, card)) return plan;
  const { violations } = record.record;
  if (violations?.toEnd !== true) return plan;
  const { actions, blocked }: EndPlan = planEnd(violations, rest, endingOf);
  return { ...plan, actions: [...plan.actions, ...actions], blocked: plan.blocked ?? blocked };
}

function emptied({ filter: { policyState } }: ObservedAttachment): Action[] {
  return policyState === 'empty' ? [] : [{ kind: 'write-policy', policy: null }];
}

/** Whether what is in force, if anything, was meant for this very card. */
function isPolicyOf(observed: ObservedAttachment, record: AttachmentRecord): boolean {
  const { filter, policy, routes } = observed;
  if (filter.policyState !== 'set') return true;
  // Another version's: that the host leads this guest's address here tells whom it was meant for.
  if (policy === null) return needsPrograms(observed) && routes.includes(record.guestAddress);
  return policy.guestMac === record.guestMac && policy.guestAddress === record.guestAddress;
}
