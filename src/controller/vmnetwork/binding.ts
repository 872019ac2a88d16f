import type { Network } from '../kinds.ts';
import type { PlannedCondition } from './acceptance.ts';
import { byAge, keyOf } from './age.ts';
import type { ReportedVm } from './selection.ts';

/** A network that selects a VM. */
export interface Claimant {
  readonly network: Network;
  /** It has an attachment for that VM, whatever state it is in. */
  readonly holds: boolean;
}

/**
 * Who of those that select a VM owns it: the oldest, by creation, then namespace and name. Whether it is accepted does
 * not matter: refusing an old network never hands its VM to a younger one. A network that is being deleted owns for as
 * long as it has an attachment there. Pure.
 */
export function ownerOf(claimants: readonly Claimant[]): Network | null {
  const standing = claimants
    .filter(({ network, holds }) => network.metadata.deletionTimestamp === undefined || holds)
    .map(({ network }) => network);
  return standing.sort(byAge)[0] ?? null;
}

/** A VM that a network selects, and the network that owns it. */
export interface SelectedVm extends ReportedVm {
  readonly owner: Network;
}

/** Names shown before "and N more": a message is for people. */
const MOST_NAMED = 3;

/** The condition Bound: does the network have the VMs that it selects to itself? */
export function boundCondition(network: Network, vms: readonly SelectedVm[]): PlannedCondition {
  const type = 'Bound';
  if (vms.length === 0) {
    return {
      type,
      status: 'False',
      reason: 'NoMatch',
      message: 'no VM that a host reports matches the selector',
    };
  }
  const lost = vms.filter(({ owner }) => owner.metadata.uid !== network.metadata.uid);
  if (lost.length === 0) {
    return { type, status: 'True', reason: 'Bound', message: 'no other network claims these VMs' };
  }
  if (network.metadata.deletionTimestamp !== undefined) {
    // It was the older one, and gave them up.
    const message = 'it is being deleted, and claims no VM any more';
    return { type, status: 'False', reason: 'NoMatch', message };
  }
  const shown = lost.slice(0, MOST_NAMED).map(({ vm, nodeName, owner }) => {
    return `VM ${vm.name} on ${nodeName} belongs to ${nameFor(network, owner)}`;
  });
  const more = lost.length > MOST_NAMED ? `; and ${lost.length - MOST_NAMED} more` : '';
  const message = `${shown.join('; ')}${more}. Remove the VM from one of the two selectors.`;
  return { type, status: 'False', reason: 'Conflict', message };
}

/** Who else has networks is no tenant's business. */
function nameFor(reader: Network, owner: Network): string {
  return owner.metadata.namespace === reader.metadata.namespace
    ? `VMNetwork ${keyOf(owner)}, which is older`
    : 'another VMNetwork that is older';
}
