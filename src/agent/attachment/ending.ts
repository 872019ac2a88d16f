import type { TapHolder } from '../host/kernel.ts';
import type { EndProgress } from '../vm-control/endings.ts';
import type { RecordedViolations } from '../wiring/record.ts';
import type { ObservedAttachment } from './observed.ts';
import type { Action, Blocked } from './plan.ts';

/*
 * Theory of operation
 *
 * A VM that is to be ended is a process, and the record says which one before anything is done to it:
 *
 *   toEnd                          one process holds the tap      -> note-violations: that one; end-vm
 *   toEnd, noted, it runs          not begun, or begun in vain    -> end-vm, which begins it and returns
 *   toEnd, noted, being ended                                     -> nothing; the end leads to a pass
 *   toEnd, noted, it has ended     nobody unseen holds the tap    -> note-violations: done
 *
 * So whoever holds the tap after that one is a VM started anew: it stays quarantined, and is not ended. An agent that dies in
 * between finds the process running, and begins again, or ended.
 */

export interface EndPlan {
  readonly actions: readonly Action[];
  readonly blocked: Blocked | null;
}

const NOTHING: EndPlan = { actions: [], blocked: null };

/** Pure. What is to be done about a VM that is to be ended. `progressOf`: of the process that was noted. */
export function planEnd(
  recorded: RecordedViolations,
  observed: Pick<ObservedAttachment, 'tap' | 'holders' | 'link'>,
  progressOf: (process: TapHolder) => EndProgress,
): EndPlan {
  const { holders, link } = observed;
  const unseen = holders.length === 0 && link?.carrier === true;
  const { holder } = recorded;
  if (holder === undefined) {
    const [only] = holders;
    if (holders.length === 0 && !unseen) return settled(recorded);
    // More than one, or one that cannot be seen, is none that may be ended.
    return holders.length === 1 && only !== undefined ? begun(recorded, only) : uncertain(observed);
  }
  const progress = progressOf(holder);
  switch (progress) {
    case 'under-way':
      return NOTHING;
    case 'alive':
      return { ...NOTHING, actions: [{ kind: 'end-vm', holder }] };
    case 'ended':
      return unseen ? uncertain(observed) : settled(recorded);
    default:
      return { ...NOTHING, blocked: progress };
  }
}

function begun(recorded: RecordedViolations, holder: TapHolder): EndPlan {
  const violations = { ...recorded, holder: { pid: holder.pid, startTicks: holder.startTicks } };
  const actions: readonly Action[] = [
    { kind: 'note-violations', violations },
    { kind: 'end-vm', holder },
  ];
  return { ...NOTHING, actions };
}

function settled({ answered, quarantinedAt }: RecordedViolations): EndPlan {
  const violations = { answered, quarantinedAt, toEnd: false };
  return { ...NOTHING, actions: [{ kind: 'note-violations', violations }] };
}

function uncertain({ tap, holders }: Pick<ObservedAttachment, 'tap' | 'holders'>): EndPlan {
  const found = holders.length === 0 ? 'a process that cannot be seen' : `${holders.length} processes`;
  const blocked: Blocked = {
    code: 'VMN_TAP_IN_USE',
    message: `the VM is to be ended for its violations, but ${found} (${holders.map(({ pid }) => pid).join(', ')}) holds ${tap}, so which one is the VM is not certain`,
    remedy: 'Stop the VM by hand; it is quarantined meanwhile.',
  };
  return { ...NOTHING, blocked };
}
