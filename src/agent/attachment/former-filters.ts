import type { ObservedAttachment } from './observed.ts';
import type { Action, Blocked, Plan } from './plan.ts';

/**
 * The same plan, for an interface that may have filters of ours beside the one in force; see wiring/beside.ts. They go last: what
 * closes does not wait for them. While one is there nothing counts as enforced. Pure.
 */
export function withoutFormer(
  planned: Plan,
  { link, fault, beside }: Pick<ObservedAttachment, 'link' | 'fault' | 'beside'>,
): Plan {
  if (link === null || fault !== null || planned.actions.some(({ kind }) => kind === 'tear-down'))
    return planned;
  const { ifindex } = link;
  const retired = beside.former.map((pins): Action => ({ kind: 'retire-pins', ifindex, pins }));
  const actions = [...planned.actions, ...retired];
  return {
    ...planned,
    actions,
    blocked: planned.blocked ?? (beside.ours.length > 0 ? besides(beside.ours) : null),
  };
}

function besides(ours: readonly string[]): Blocked {
  return {
    code: 'VMN_READ_BACK',
    message: `another filter of ours judges on this interface, too, by a policy of its own (${ours.join(', ')}), so only what both let through passes`,
    remedy:
      'If the interface was renamed, give it its former name. If another agent closed it, with another --bpffs, end that one and remove its pins.',
  };
}
