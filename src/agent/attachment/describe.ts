import type { Policy } from '../../native/policy-abi.ts';
import type { Action } from './plan.ts';

/** For the log: what changed, without what can be looked up. */
export function describe(action: Action): string {
  switch (action.kind) {
    case 'write-policy':
    case 'replace-filter':
      return `${action.kind} ${action.policy === null ? 'deny-all' : briefly(action.policy)}`;
    case 'end-vm':
      return `${action.kind} pid ${action.holder.pid}`;
    case 'note-violations':
      return `${action.kind} ${action.violations?.quarantinedAt == null ? 'settled' : 'quarantined'}`;
    case 'retire-pins':
      return `${action.kind} ${action.pins}`;
    case 'add-route':
    case 'drop-route':
    case 'set-neighbour':
    case 'drop-neighbour':
      return `${action.kind} ${action.address}`;
    case 'close-tap':
    case 'close-link':
    case 'leave-bridge':
    case 'make-record':
    case 'remove-pins':
    case 'link-down':
    case 'link-up':
    case 'link':
    case 'settings':
    case 'note-network':
    case 'tear-down':
    case 'end-engine':
    case 'release-engine':
      return action.kind;
  }
}

function briefly({ mode, endpoint, flags, generation }: Policy): string {
  const words = endpoint === null ? [mode] : [`${endpoint.address}:${endpoint.port}`, mode];
  if (flags.audit) words.push('audit');
  if (flags.quarantined) words.push('quarantined');
  return [...words, `generation ${generation}`].join(' ');
}
