import { CLOSED_FINALIZER } from '../kinds.ts';
import type { Attachment, Network } from '../kinds.ts';
import { holdsNetwork, isClosed } from './attachment-plan.ts';
import type { HostState } from './host-health.ts';

export interface LeavingInput {
  readonly network: Network;
  readonly attachments: readonly Attachment[];
  readonly hosts: ReadonlyMap<string, HostState>;
  readonly inDoubt?: boolean | undefined;
}

/** VMs named before "and N more": a message is for people. */
const MOST_NAMED = 3;

/** What the end of a network that is being deleted waits for. Pure. */
export function waitsFor(input: LeavingInput): string {
  const { network, attachments, inDoubt = false } = input;
  const open = attachments.filter((one) => holdsNetwork(one, network) && !isClosed(one, input));
  if (open.length > 0) {
    const named = open.slice(0, MOST_NAMED).map((one) => nameOf(one, input));
    const more = open.length > MOST_NAMED ? `; and ${open.length - MOST_NAMED} more` : '';
    return `it goes when the hosts have denied: ${named.join('; ')}${more}`;
  }
  if (inDoubt) {
    return 'one attachment was asked for that the API server has not answered for: it waits, for two minutes at most, to see it or be sure';
  }
  const others = (network.metadata.finalizers ?? []).filter((name) => name !== CLOSED_FINALIZER);
  if (others.length === 0) return 'its VMs are closed, and it goes';
  return `its VMs are closed; it waits for finalizers of others: ${others.join(', ')}`;
}

function nameOf({ spec: { nodeName, vm } }: Attachment, { hosts }: LeavingInput): string {
  const health = hosts.get(nodeName)?.health ?? 'unknown';
  const silent = health === 'stale' || health === 'unknown' ? ', whose agent is not heard from' : '';
  return `VM ${vm.name} on ${nodeName}${silent}`;
}
