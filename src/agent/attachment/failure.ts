import { VmnError } from '../../lib/errors.ts';
import type { DesiredAttachment } from './desired.ts';
import type { ObservedAttachment } from './observed.ts';
import type { Action, Plan } from './plan.ts';

/**
 * What is tried, in this order until one works, after `failed` could not be carried out. Pure.
 *
 * A failed change of policy left the old policy intact, for the change is one commit. It stays only where it is an
 * older wish of the same network; where nothing was to pass, or another network's rule was to be replaced, the VM is
 * denied, and if even that fails its tap is set down. A failure of the wiring (route, neighbour, setting) opens
 * nothing: the filter stands as planned.
 */
export function afterFailure(
  failed: Action,
  desired: DesiredAttachment,
  observed: ObservedAttachment,
  { policy }: Plan,
): readonly Action[] {
  const { record } = observed;
  const down = lastResort(observed);
  switch (failed.kind) {
    case 'write-policy':
    case 'replace-filter': {
      const sameNetwork =
        desired.want === 'program' &&
        record.state === 'ok' &&
        record.record.network === desired.intent.network;
      if (sameNetwork && policy !== null && !policy.flags.quarantined) return [];
      return [{ kind: 'write-policy', policy: null }, ...down];
    }
    case 'close-tap':
    case 'close-link':
    case 'link-down':
      return down;
    case 'leave-bridge':
      return [{ kind: 'write-policy', policy: null }, ...down];
    case 'note-network':
      // Before another network's policy: what is in force is not to stay.
      return failed.network === null ? [{ kind: 'write-policy', policy: null }, ...down] : [];
    case 'tear-down':
      return [{ kind: 'write-policy', policy: null }, ...down];
    case 'end-engine':
    case 'release-engine':
      return [];
    case 'note-violations':
    case 'end-vm':
      // A quarantine is in force before it is noted, and stays.
      return [];
    case 'make-record':
    case 'remove-pins':
    case 'retire-pins':
    case 'settings':
    case 'link':
    case 'link-up':
    case 'drop-route':
    case 'add-route':
    case 'drop-neighbour':
    case 'set-neighbour':
      return [];
  }
}

/** What closes when no policy can be written. */
export function lastResort({ link, engine }: Pick<ObservedAttachment, 'link' | 'engine'>): readonly Action[] {
  if (engine !== undefined) return [{ kind: 'end-engine' }];
  return link === null ? [] : [{ kind: 'link-down', ifindex: link.ifindex }];
}

/** Actions that only close. They are carried out at once, even for an attachment whose retries are held back. */
export function isClosing(action: Action): boolean {
  if (['link-down', 'close-link', 'end-engine', 'release-engine'].includes(action.kind)) return true;
  if (action.kind !== 'write-policy' && action.kind !== 'replace-filter') return false;
  return action.policy === null || action.policy.flags.quarantined;
}

/** Of what was done again and again, and is read back otherwise each time. */
export function doesNotStay(tap: string, actions: readonly Action[]): VmnError {
  const what = actions.length === 0 ? 'the policy' : actions.map(({ kind }) => kind).join(', ');
  const cause = new Error(`still differs after several attempts: ${what}`);
  return new VmnError('VMN_READ_BACK', {
    attempted: 'bring the attachment to its desired state',
    on: tap,
    cause,
  });
}
