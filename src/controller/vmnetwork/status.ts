import type { ConditionType } from '../../api/v1alpha1/conditions.ts';
import type { VmNetworkStatus } from '../../api/v1alpha1/vm-network-status.ts';
import type { Attachment, Network } from '../kinds.ts';
import type { PlannedCondition } from './acceptance.ts';
import { compare } from './age.ts';
import { belongsTo } from './attachment-plan.ts';
import type { AttachmentPlan } from './attachment-plan.ts';
import { cardReports } from './attachment-report.ts';
import { planConditions, specOf } from './conditions.ts';
import type { SelectedVm } from './binding.ts';
import type { HostState } from './host-health.ts';
import type { Judgement } from './judgement.ts';
import { canonicalJson } from './plan/canonical-json.ts';

export interface StatusInput {
  readonly network: Network;
  readonly judgement: Judgement;
  readonly vms: readonly SelectedVm[];
  readonly hosts: ReadonlyMap<string, HostState>;
  readonly attachments: readonly Attachment[];
  readonly plan: AttachmentPlan;
  /** What the API server said when an attachment could not be written. */
  readonly failure?: string | undefined;
  /** A bare new count of dropped packets is worth a write. */
  readonly countIsDue: boolean;
  readonly nowMs: number;
}

export interface PlannedStatus {
  readonly status: VmNetworkStatus;
  /** It differs from what stands there in more than a count that is not due. */
  readonly changed: boolean;
  /** Only the count of dropped packets differs, and it is not due yet. */
  readonly countWaits: boolean;
}

/** Most peers that are listed; the schema's bound. */
const MOST_PEERS = 256;

/**
 * The status of a network, rebuilt from what was observed; only since when a condition holds is taken from the status of
 * before. Pure.
 */
export function planStatus(input: StatusInput): PlannedStatus {
  const { network, attachments } = input;
  const before: VmNetworkStatus = network.status ?? {};
  const lastStale = before.conditions?.some(({ reason }) => reason === 'AgentStale') ?? false;
  const cards = cardReports(network, attachments, input.plan, input.hosts, lastStale);
  const conditions = stamped(planConditions({ ...input, cards }), input, before);
  const enforced = cards.filter((card) => card.enforced.status === 'True' && !card.stale).length;
  const desired = input.plan.desired;
  const own = attachments.filter((attachment) => belongsTo(attachment, network));
  const endpoint = endpointOf(input);
  const droppedPackets = droppedOf(own);
  const peers = peersOf(own, input);
  const status: VmNetworkStatus = {
    observedGeneration: network.metadata.generation ?? 0,
    conditions,
    ...(endpoint === undefined ? {} : { endpoint }),
    attachments: { desired, enforced, summary: `${enforced}/${desired}` },
    ...(droppedPackets === undefined ? {} : { droppedPackets }),
    ...(peers.length === 0 ? {} : { peers }),
  };
  if (canonicalJson(status) === canonicalJson(before)) return { status, changed: false, countWaits: false };
  const counted =
    canonicalJson({ ...status, droppedPackets: 0 }) === canonicalJson({ ...before, droppedPackets: 0 });
  const countWaits = counted && !input.countIsDue;
  return { status, changed: !countWaits, countWaits };
}

function endpointOf(input: StatusInput): string | undefined {
  const spec = specOf(input);
  if (spec?.consumerEndpoint === undefined || spec.mode === 'Direct') return undefined;
  return `${spec.consumerEndpoint.address}:${spec.consumerEndpoint.port}`;
}

function droppedOf(own: readonly Attachment[]): number | undefined {
  const told = own.flatMap(({ status }) => (status?.counters === undefined ? [] : [status.counters.dropped]));
  return told.length === 0
    ? undefined
    : Math.min(
        told.reduce((sum, count) => sum + count, 0),
        Number.MAX_SAFE_INTEGER,
      );
}

function peersOf(own: readonly Attachment[], input: StatusInput): NonNullable<VmNetworkStatus['peers']> {
  const spec = specOf(input);
  if (spec === null) return [];
  return own
    .flatMap(({ metadata, status }) => {
      const publicKey = status?.guest?.publicKey;
      if (publicKey === undefined || metadata.deletionTimestamp !== undefined) return [];
      const addresses = status?.guest?.addresses ?? spec.wireGuard.addresses;
      return [{ attachment: metadata.name, publicKey, addresses }];
    })
    .sort((a, b) => compare(a.attachment, b.attachment))
    .slice(0, MOST_PEERS);
}

function stamped(
  planned: readonly PlannedCondition[],
  { network, nowMs }: StatusInput,
  before: VmNetworkStatus,
): NonNullable<VmNetworkStatus['conditions']> {
  const now = `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  return planned.map((condition) => {
    const old = before.conditions?.find(({ type }) => type === condition.type);
    return {
      ...condition,
      observedGeneration: network.metadata.generation ?? 0,
      lastTransitionTime: old?.status === condition.status ? old.lastTransitionTime : now,
    };
  });
}

/** A condition of a status, if it has one of that type. */
export function conditionIn(status: VmNetworkStatus | undefined, type: ConditionType) {
  return status?.conditions?.find((condition) => condition.type === type);
}
