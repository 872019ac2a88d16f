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

export interface NetworkPlan {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly mode: Mode;
  readonly endpoint: ConsumerEndpoint | null;
  readonly accepted: PlannedCondition;
  readonly bound: PlannedCondition;
  /** VMs that this network has to itself, sorted. */
  readonly vms: readonly string[];
}

export interface VmNetworkPlan {
  readonly networks: readonly NetworkPlan[];
  readonly attachments: readonly AttachmentIntent[];
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
}

/**
 * Which network binds which VM of one host, and what that host is to enforce: the standalone agent's plan, from the same
 * parts as the cluster's (age, acceptance, policy). Pure. Two networks that match one VM are never merged: the one that holds it keeps it,
 * else the older. A refused network keeps its
 * VMs bound and denied, so that refusing an old network never hands its VM to a younger one.
 */
export function planVmNetworks(input: PlanInput): VmNetworkPlan {
  const classes = new Map(input.classes.map((item) => [item.metadata.name, item]));
  if (!classes.has('default') && !input.classesInDoubt) classes.set('default', builtInClass());

  const owners = new Map<string, Candidate>();
  const candidates = [...input.networks]
    .sort(byAge)
    .map((network) => judge(network, classes, input.nodeName));
  for (const candidate of candidates) {
    for (const vm of candidate.wants) {
      if (!owners.has(vm) || input.holders?.get(vm) === keyOf(candidate.network)) owners.set(vm, candidate);
    }
  }
  const attachments = [...owners].map(([vm, owner]) => attachmentIntent(vm, owner));
  return {
    networks: candidates.map((candidate) => networkPlan(candidate, owners)),
    attachments: attachments.sort((a, b) => compare(a.vm, b.vm)),
  };
}

interface Candidate {
  readonly network: VmNetwork;
  readonly accepted: PlannedCondition;
  /** Null when it is refused. */
  readonly policy: PolicyIntent | null;
  /** VMs on this host that it names. */
  readonly wants: readonly string[];
}

function judge(
  network: VmNetwork,
  classes: ReadonlyMap<string, VmNetworkClass>,
  nodeName: string,
): Candidate {
  const { nodeName: pinnedTo, names } = network.spec.selector;
  const wants = pinnedTo === '' || pinnedTo === nodeName ? names : [];
  const ofClass = classes.get(network.spec.className);
  const accepted = acceptance(network, ofClass);
  const policy =
    accepted.status === 'True' && ofClass !== undefined
      ? policyIntent(keyOf(network), network.spec, ofClass.spec)
      : null;
  return { network, accepted, policy, wants };
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

function attachmentIntent(vm: string, { network, accepted, policy }: Candidate): AttachmentIntent {
  const key = keyOf(network);
  const reason = policy === null ? `VMNetwork ${key} is refused: ${accepted.message}` : '';
  return { vm, intent: policy, network: key, reason };
}

function networkPlan(candidate: Candidate, owners: ReadonlyMap<string, Candidate>): NetworkPlan {
  const { network, accepted, wants } = candidate;
  const { namespace, name } = network.metadata;
  return {
    key: keyOf(network),
    namespace,
    name,
    mode: network.spec.mode,
    endpoint: network.spec.consumerEndpoint ?? null,
    accepted,
    bound: binding(candidate, owners),
    vms: wants.filter((vm) => owners.get(vm) === candidate).sort(compare),
  };
}

function binding(candidate: Candidate, owners: ReadonlyMap<string, Candidate>): PlannedCondition {
  const lost = candidate.wants.flatMap((vm) => {
    const owner = owners.get(vm);
    return owner === undefined || owner === candidate ? [] : [`VM ${vm} belongs to ${keyOf(owner.network)}`];
  });
  if (lost.length > 0) {
    const message = `${lost.join('; ')}, which holds it or is older. Remove the VM from one of the two selectors.`;
    return { type: 'Bound', status: 'False', reason: 'Conflict', message };
  }
  if (candidate.wants.length === 0) {
    const message = 'no VM on this host matches the selector';
    return { type: 'Bound', status: 'False', reason: 'NoMatch', message };
  }
  return { type: 'Bound', status: 'True', reason: 'Bound', message: 'no other network claims these VMs' };
}
