import { keyOf } from '../../kube/resource.ts';
import type { Network } from '../kinds.ts';
import type { PlannedCondition } from './acceptance.ts';
import { byAge } from './age.ts';
import type { ReportedVm } from './selection.ts';

/** A network that selects a VM. */
export interface Claimant {
  readonly network: Network;
  /**
   * Where it has an attachment, whatever state that is in, or one on its way: for this VM; for a VM of its uuid on another
   * host, as while it migrates; nowhere.
   */
  readonly holds: 'here' | 'elsewhere' | 'nothing';
}

/**
 * Who of those that select a VM owns it: whoever holds it, so that nobody takes a running VM over by an edit. Where several
 * hold it, and where nobody does, the oldest, by creation, then namespace and name. Whether it is accepted does not matter:
 * refusing an old network never hands its VM to a younger one. A network that is being deleted owns only what it holds. A
 * uuid is what whoever starts a VM says, so one elsewhere counts for nothing against an attachment here. Pure.
 */
export function ownerOf(claimants: readonly Claimant[]): Network | null {
  for (const rank of ['here', 'elsewhere', 'nothing'] as const) {
    const networks = claimants
      .filter(({ holds }) => holds === rank)
      .map(({ network }) => network)
      .filter(({ metadata }) => rank !== 'nothing' || metadata.deletionTimestamp === undefined);
    const [oldest] = networks.sort(byAge);
    if (oldest !== undefined) return oldest;
  }
  return null;
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
  const lost = vms.filter(({ owner }) => owner.metadata.uid !== network.metadata.uid);
  if (vms.length > 0 && lost.length === 0) {
    return { type, status: 'True', reason: 'Bound', message: 'no other network claims these VMs' };
  }
  if (network.metadata.deletionTimestamp !== undefined) {
    // It gave them up.
    const message = 'it is being deleted, and claims no VM any more';
    return { type, status: 'False', reason: 'NoMatch', message };
  }
  if (vms.length === 0) {
    return {
      type,
      status: 'False',
      reason: 'NoMatch',
      // Whether there is one that its class keeps for another namespace is no tenant's business.
      message:
        'no VM that a host reports matches the selector and may be bound from this namespace (vmOwnership of the class)',
    };
  }
  return { type, status: 'False', reason: 'Conflict', message: conflictMessage(network, lost) };
}

/**
 * Who else has networks is no tenant's business, nor which VMs they have: of a VM that belongs to another namespace's network
 * only what the selector says itself is told. A label would list the VMs of everybody else who uses it.
 */
function conflictMessage(network: Network, lost: readonly SelectedVm[]): string {
  const own = new Set(network.spec.selector.names);
  const named: string[] = [];
  let counted = 0;
  for (const { vm, nodeName, owner } of lost) {
    if (owner.metadata.namespace === network.metadata.namespace)
      named.push(`VM ${vm.name} on ${nodeName} belongs to VMNetwork ${keyOf(owner)}`);
    else if (own.has(vm.name)) named.push(`VM ${vm.name} belongs to another VMNetwork`);
    else counted += 1;
  }
  const sentences: string[] = [];
  if (named.length > 0) {
    const more = named.length > MOST_NAMED ? `; and ${named.length - MOST_NAMED} more` : '';
    const which = 'which holds it or is older. Remove the VM from one of the two selectors.';
    sentences.push(`${named.slice(0, MOST_NAMED).join('; ')}${more}, ${which}`);
  }
  if (counted > 0) {
    const which = 'to VMNetworks of other namespaces, which hold them or are older';
    sentences.push(`${counted} of the VMs that match belong ${which}. Select only your own VMs.`);
  }
  return sentences.join(' ');
}
