import type { ConsumerEndpoint } from '../../../api/v1alpha1/consumer-endpoint.ts';
import type { Mode } from '../../../api/v1alpha1/mode.ts';
import { builtInClass } from '../../../api/v1alpha1/vm-network-class.ts';
import type { VmNetworkClass } from '../../../api/v1alpha1/vm-network-class.ts';
import type { VmNetwork } from '../../../api/v1alpha1/vm-network.ts';
import { keyOf } from '../../../kube/resource.ts';
import { ACCEPTED, classRefusal, refusal, sentences } from '../acceptance.ts';
import type { PlannedCondition } from '../acceptance.ts';
import { byAge, compare } from '../age.ts';
import { policyIntent } from './policy-intent.ts';
import type { PolicyIntent } from './policy-intent.ts';
import { unsupportedFields } from '../unsupported.ts';

/** One VM that some network names. Without an intent the VM is denied, for the `reason` given. */
export interface AttachmentIntent {
  readonly vm: string;
  readonly intent: PolicyIntent | null;
  /** The network bound to the VM, also when that network is refused. */
  readonly network: string | null;
  readonly reason: string;
}

/** A VM that somebody else started on this host, as it was found. */
export interface FoundVm {
  readonly id: string;
  readonly name: string;
  readonly uuid: string | null;
  /** The network that its policy came from last. It keeps the VM whatever the others' age. */
  readonly holder: string | null;
  /** It runs on interfaces of others alone, so that it needs no tap of ours. Absent: it may. */
  readonly needsNoTap?: boolean;
}

/** What is wanted of a VM that was found and that some network selects. */
export interface FoundIntent extends Omit<AttachmentIntent, 'vm'> {
  readonly vmId: string;
  /** By its uuid, so that its name may be another's, too. */
  readonly byUuid: boolean;
}

export interface NetworkPlan {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly mode: Mode;
  readonly endpoint: ConsumerEndpoint | null;
  readonly accepted: PlannedCondition;
  readonly bound: PlannedCondition;
  /** VMs that this network has to itself, sorted: names, and ids of those that were found. */
  readonly vms: readonly string[];
}

export interface VmNetworkPlan {
  readonly networks: readonly NetworkPlan[];
  /** By name: of VMs that may be started on taps of ours. */
  readonly attachments: readonly AttachmentIntent[];
  readonly found: readonly FoundIntent[];
}

export interface PlanInput {
  readonly networks: readonly VmNetwork[];
  readonly classes: readonly VmNetworkClass[];
  /** Name of the host to plan for; a network pinned to another one binds nothing here. */
  readonly nodeName: string;
  /**
   * A VMNetworkClass may exist that could not be read. The built-in default is then not assumed, for it may allow more.
   */
  readonly classesInDoubt: boolean;
  /**
   * Networks whose policy a VM runs by now, by VM. Such a network keeps the VM whatever the others' age: a creation
   * time in a manifest is whatever its author wrote. Absent: age alone decides.
   */
  readonly holders?: ReadonlyMap<string, string>;
  /** Absent: none. */
  readonly found?: readonly FoundVm[];
}

/**
 * Which network binds which VM of one host, and what that host is to enforce: the standalone agent's plan, from the same
 * parts as the cluster's (age, acceptance, policy). Pure. Two networks that match one VM are never merged: the one that holds it keeps it,
 * else the older. A refused network keeps its
 * VMs bound and denied, so that refusing an old network never hands its VM to a younger one.
 *
 * A VM on a tap of ours is known by its name alone, so a selector with uuids is for VMs that were found.
 */
export function planVmNetworks(input: PlanInput): VmNetworkPlan {
  const classes = new Map(input.classes.map((item) => [item.metadata.name, item]));
  if (!classes.has('default') && !input.classesInDoubt) classes.set('default', builtInClass());

  const elsewhere = new Set((input.found ?? []).flatMap((vm) => (vm.needsNoTap === true ? [vm.name] : [])));
  const owners = new Map<string, Candidate>();
  const candidates = [...input.networks]
    .sort(byAge)
    .map((network) => judge(network, classes, input.nodeName));
  for (const candidate of candidates) {
    for (const vm of candidate.wants) {
      if (elsewhere.has(vm)) continue;
      if (!owners.has(vm) || input.holders?.get(vm) === keyOf(candidate.network)) owners.set(vm, candidate);
    }
  }
  const attachments = [...owners].map(([vm, owner]) => ({ vm, ...intentFrom(owner) }));
  const found = (input.found ?? []).flatMap((vm) => claimsOn(vm, candidates) ?? []);
  return {
    networks: candidates.map((candidate) => networkPlan(candidate, owners, found)),
    attachments: attachments.sort((a, b) => compare(a.vm, b.vm)),
    found: found.map(({ vm, owner }) => {
      const byUuid = owner.network.spec.selector.uuids.length > 0;
      return { vmId: vm.id, byUuid, ...intentFrom(owner) };
    }),
  };
}

/** A VM that was found, and who wants it. */
interface Claims {
  readonly vm: FoundVm;
  readonly owner: Candidate;
  readonly losers: readonly Candidate[];
}

/** Null: nobody wants it. `candidates`: the oldest first. */
function claimsOn(vm: FoundVm, candidates: readonly Candidate[]): Claims | null {
  const claimants = candidates.filter(({ network, isHere }) => isHere && selects(network, vm));
  const owner = claimants.find(({ network }) => keyOf(network) === vm.holder) ?? claimants[0];
  if (owner === undefined) return null;
  return { vm, owner, losers: claimants.filter((claimant) => claimant !== owner) };
}

/** All given parts must match. Labels are not asked: a network that gives some is refused, and denies what it may mean. */
function selects({ spec: { selector } }: VmNetwork, { name, uuid }: FoundVm): boolean {
  const { names, uuids } = selector;
  if (names.length === 0 && uuids.length === 0) return false;
  if (names.length > 0 && !names.includes(name)) return false;
  return uuids.length === 0 || (uuid !== null && uuids.some((one) => one === uuid));
}

interface Candidate {
  readonly network: VmNetwork;
  readonly accepted: PlannedCondition;
  /** Null when it is refused. */
  readonly policy: PolicyIntent | null;
  /** It is not pinned to another host. */
  readonly isHere: boolean;
  /** VMs on taps of ours that it names. */
  readonly wants: readonly string[];
}

function judge(
  network: VmNetwork,
  classes: ReadonlyMap<string, VmNetworkClass>,
  nodeName: string,
): Candidate {
  const { nodeName: pinnedTo, names, uuids } = network.spec.selector;
  const isHere = pinnedTo === '' || pinnedTo === nodeName;
  const wants = isHere && uuids.length === 0 ? names : [];
  const ofClass = classes.get(network.spec.className);
  const accepted = acceptance(network, ofClass);
  const policy =
    accepted.status === 'True' && ofClass !== undefined
      ? policyIntent(keyOf(network), network.spec, ofClass.spec)
      : null;
  return { network, accepted, policy, isHere, wants };
}

function acceptance({ spec }: VmNetwork, found: VmNetworkClass | undefined): PlannedCondition {
  if (found === undefined) {
    const message = `spec.className "${spec.className}" names no VMNetworkClass that can be read. Declare it, or correct the manifest that does.`;
    return refusal('ClassNotFound', message);
  }
  const byClass = classRefusal(spec, found.spec);
  if (byClass !== null) return byClass;
  const unsupported = unsupportedFields(spec, found.spec);
  return unsupported.length > 0 ? refusal('Unsupported', sentences(unsupported)) : ACCEPTED;
}

function intentFrom({ network, accepted, policy }: Candidate): Omit<AttachmentIntent, 'vm'> {
  const key = keyOf(network);
  const reason = policy === null ? `VMNetwork ${key} is refused: ${accepted.message}` : '';
  return { intent: policy, network: key, reason };
}

function networkPlan(
  candidate: Candidate,
  owners: ReadonlyMap<string, Candidate>,
  found: readonly Claims[],
): NetworkPlan {
  const ids = found.flatMap(({ vm, owner }) => (owner === candidate ? [vm.id] : []));
  const { network, accepted, wants } = candidate;
  const { namespace, name } = network.metadata;
  return {
    key: keyOf(network),
    namespace,
    name,
    mode: network.spec.mode,
    endpoint: network.spec.consumerEndpoint ?? null,
    accepted,
    bound: binding(candidate, owners, found),
    vms: [...wants.filter((vm) => owners.get(vm) === candidate), ...ids].sort(compare),
  };
}

function binding(
  candidate: Candidate,
  owners: ReadonlyMap<string, Candidate>,
  found: readonly Claims[],
): PlannedCondition {
  const lost = new Map<string, Candidate>();
  for (const vm of candidate.wants) {
    const owner = owners.get(vm);
    if (owner !== undefined && owner !== candidate) lost.set(vm, owner);
  }
  for (const { vm, owner, losers } of found)
    if (losers.includes(candidate) && !lost.has(vm.name)) lost.set(vm.id, owner);
  if (lost.size > 0) {
    const belong = [...lost].map(([vm, { network }]) => `VM ${vm} belongs to ${keyOf(network)}`);
    const message = `${belong.join('; ')}, which holds it or is older. Remove the VM from one of the two selectors.`;
    return { type: 'Bound', status: 'False', reason: 'Conflict', message };
  }
  if (candidate.wants.length === 0 && !found.some(({ owner }) => owner === candidate)) {
    const message = 'no VM on this host matches the selector';
    return { type: 'Bound', status: 'False', reason: 'NoMatch', message };
  }
  return { type: 'Bound', status: 'True', reason: 'Bound', message: 'no other network claims these VMs' };
}
