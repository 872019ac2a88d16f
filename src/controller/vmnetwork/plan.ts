import { CLOSED_FINALIZER } from '../kinds.ts';
import type { Network } from '../kinds.ts';
import { belongsTo, holdsNetwork, planAttachments } from './attachment-plan.ts';
import type { AttachmentPlan, AttachmentPlanInput } from './attachment-plan.ts';

/** The standalone agent's way in: the same parts, for one host and the manifests of a folder. */
export { keyOf } from '../../kube/resource.ts';
export type { PlannedCondition } from './acceptance.ts';
export { planVmNetworks } from './plan/host-plan.ts';
export type {
  AttachmentIntent,
  FoundIntent,
  FoundVm,
  NetworkPlan,
  PlanInput,
  VmNetworkPlan,
} from './plan/host-plan.ts';
export type { PolicyIntent } from './plan/policy-intent.ts';

/** What one pass over a network does, before its status is written. */
export interface NetworkActions extends AttachmentPlan {
  /** Before the first attachment is made: from then on the network cannot go before its VMs are denied. */
  readonly addFinalizer: boolean;
  /** Nothing of it is left. */
  readonly removeFinalizer: boolean;
  /** When something is due though nothing changes: an endpoint's grace ends. */
  readonly dueMs: number | null;
}

export interface NetworkPlanInput extends AttachmentPlanInput {
  /** An attachment may be on its way that the cache does not show: a create whose answer was lost. */
  readonly inDoubt: boolean;
}

/** All that is to be done about one network. Pure: what is observed goes in, what to write comes out. */
export function planNetwork(input: NetworkPlanInput): NetworkActions {
  const { network, attachments, inDoubt } = input;
  const plan = planAttachments(input);
  const own = attachments.filter((attachment) => belongsTo(attachment, network));
  const isHeld = attachments.some((attachment) => holdsNetwork(attachment, network));
  const has = (network.metadata.finalizers ?? []).includes(CLOSED_FINALIZER);
  const deleting = network.metadata.deletionTimestamp !== undefined;
  return {
    ...plan,
    addFinalizer: !has && !deleting && (own.length > 0 || plan.create.length > 0),
    removeFinalizer: has && deleting && !isHeld && !inDoubt,
    dueMs: graceEnds(plan, own),
  };
}

/**
 * A network that is no more, whose attachments still stand (somebody removed its finalizer, or it was restored without them):
 * they go, and are released like any. No garbage collector is counted on.
 */
export function planOrphans(
  attachments: AttachmentPlanInput['attachments'],
  hosts: AttachmentPlanInput['hosts'],
): Pick<AttachmentPlan, 'remove' | 'release' | 'update'> {
  const nobody: AttachmentPlanInput = {
    network: NOBODY,
    judgement: {
      verdict: 'refused',
      accepted: { type: 'Accepted', status: 'False', reason: 'Invalid', message: '' },
    },
    secret: { state: 'none' },
    vms: [],
    hosts,
    attachments,
    isTaken: () => true,
    isReported: () => false,
    nowMs: 0,
  };
  const { remove, release, update } = planAttachments(nobody);
  return { remove, release, update };
}

/** Owns nothing and is refused. */
const NOBODY = { metadata: { name: 'nobody' } } as Network;

function graceEnds(plan: AttachmentPlan, own: AttachmentPlanInput['attachments']): number | null {
  const updates = new Map(plan.update.map(({ attachment, policy }) => [attachment.metadata.name, policy]));
  const policies = own
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata, spec }) => updates.get(metadata.name) ?? spec.policy);
  const ends = policies.flatMap(({ previousEndpoint }) =>
    previousEndpoint === undefined ? [] : [Date.parse(previousEndpoint.until)],
  );
  return ends.length === 0 ? null : Math.min(...ends);
}
