import type { ConditionType } from '../../api/v1alpha1/conditions.ts';
import type { VmNetworkStatus } from '../../api/v1alpha1/vm-network-status.ts';
import type { Attachment, Network } from '../kinds.ts';
import type { PlannedCondition } from './acceptance.ts';
import { compare } from './age.ts';
import { belongsTo } from './attachment-plan.ts';
import type { AttachmentPlan } from './attachment-plan.ts';
import { cardReports } from './attachment-report.ts';
import type { CardReport } from './attachment-report.ts';
import { isAsAsked, planConditions, specOf } from './conditions.ts';
import type { SelectedVm } from './binding.ts';
import type { HostState } from './host-health.ts';
import { waitsFor } from './leaving.ts';
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
  /** An attachment may be on its way that nobody has seen: a create whose answer was lost. */
  readonly inDoubt?: boolean | undefined;
  /** What alone moves all the time, a new count of dropped packets or a new handshake, is worth a write. */
  readonly countIsDue: boolean;
  readonly nowMs: number;
}

export interface PlannedStatus {
  readonly status: VmNetworkStatus;
  /** It differs from what stands there in more than what is not due. */
  readonly changed: boolean;
  /** Only the count of dropped packets or the last handshake differs, and is not due yet. */
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
  const cards = cardReports(network, attachments, input.plan, input.hosts, input.vms, lastStale);
  const conditions = stamped(planConditions({ ...input, cards, end: waitsFor(input) }), input, before);
  const enforced = cards.filter((card) => card.enforced.status === 'True' && !card.stale).length;
  const desired = input.plan.desired;
  const own = attachments.filter((attachment) => belongsTo(attachment, network));
  const endpoint = endpointOf(input);
  const droppedPackets = droppedOf(own);
  const lastHandshake = lastHandshakeOf(cards, input);
  const peers = peersOf(own, input);
  const status: VmNetworkStatus = {
    observedGeneration: network.metadata.generation ?? 0,
    conditions,
    ...(endpoint === undefined ? {} : { endpoint }),
    attachments: { desired, enforced, summary: `${enforced}/${desired}` },
    ...(droppedPackets === undefined ? {} : { droppedPackets }),
    ...(lastHandshake === undefined ? {} : { tunnel: { lastHandshake } }),
    ...(peers.length === 0 ? {} : { peers }),
  };
  if (canonicalJson(status) === canonicalJson(before)) return { status, changed: false, countWaits: false };
  const countWaits = !input.countIsDue && canonicalJson(settled(status)) === canonicalJson(settled(before));
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

/** Of the cards where the network is in force the one that had none for longest; undefined while one had none. */
function lastHandshakeOf(cards: readonly CardReport[], input: StatusInput): string | undefined {
  const spec = specOf(input);
  // With Direct the host does not look.
  if (spec === null || spec.mode === 'Direct') return undefined;
  const inForce = cards.filter(({ enforced, stale }) => !stale && isAsAsked(enforced, spec));
  const seen = inForce.map(({ lastHandshake = '' }) => ({ lastHandshake, ms: Date.parse(lastHandshake) }));
  if (seen.some(({ ms }) => Number.isNaN(ms))) return undefined;
  return seen.sort((a, b) => a.ms - b.ms)[0]?.lastHandshake;
}

/** A status without what moves all the time. */
function settled({ droppedPackets: _count, tunnel: _seen, ...rest }: VmNetworkStatus): VmNetworkStatus {
  return rest;
}

function peersOf(own: readonly Attachment[], input: StatusInput): NonNullable<VmNetworkStatus['peers']> {
  const spec = specOf(input);
  if (spec === null) return [];
  return own
    .flatMap(({ metadata, status }) => {
      const { publicKey, nextPublicKey } = status?.guest ?? {};
      if (publicKey === undefined || metadata.deletionTimestamp !== undefined) return [];
      const addresses = status?.guest?.addresses ?? spec.wireGuard.addresses;
      const next = nextPublicKey === undefined ? {} : { nextPublicKey };
      return [{ attachment: metadata.name, publicKey, ...next, addresses }];
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
