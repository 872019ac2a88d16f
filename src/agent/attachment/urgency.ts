import type { Action } from './plan.ts';
import { isClosing } from './failure.ts';

/** Order within a round: what closes at once, what closes an open link, what changes, what makes a tap. */
export function urgency(actions: readonly Action[]): number {
  // What leads to one link must be gone before it can lead to another.
  if (actions.some((action) => isUnwiring(action) || (isClosing(action) && !isLoading(action)))) return 0;
  if (actions.some(isClosing)) return 1;
  return actions.some(isMaking) ? 3 : 2;
}

export function isRemoval({ kind }: Action): boolean {
  return kind === 'tear-down';
}

/** Programs are brought into the kernel. */
export function isMaking({ kind }: Action): boolean {
  return kind === 'close-tap' || kind === 'close-link';
}

function isLoading(action: Action): boolean {
  return isMaking(action) || action.kind === 'replace-filter';
}

function isUnwiring({ kind }: Action): boolean {
  return kind === 'drop-route' || kind === 'drop-neighbour';
}
