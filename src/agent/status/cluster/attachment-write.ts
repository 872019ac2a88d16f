import type { conditionSchema } from '../../../api/v1alpha1/conditions.ts';
import type { VmNetworkAttachmentStatus } from '../../../api/v1alpha1/index.ts';
import type { PlannedCondition } from '../../../controller/vmnetwork/plan.ts';
import { canonicalJson } from '../../../controller/vmnetwork/plan/canonical-json.ts';
import type { z } from 'zod';
import type { AttachmentReport } from './attachment-report.ts';
import type { PacketCounts } from './packet-counts.ts';
import type { ViolationSeen } from './violation-tuples.ts';

type StoredCondition = z.infer<typeof conditionSchema>;

/** What moves with traffic. It alone is no reason to write more often than once a minute. */
export interface Coarse {
  /** Null: not to be had now; what was said stands. */
  readonly counters: PacketCounts | null;
  readonly lastViolations: readonly ViolationSeen[];
}

/** Handshakes are at least 5 s apart (WireGuard's REKEY_TIMEOUT): times that are closer are one, measured twice. */
const SAME_HANDSHAKE_MS = 2_500;

/** What of a status there is to write: nothing, what moves with traffic, or more than that. */
export type Change = 'none' | 'coarse' | 'report';

/** Types of ours; others may add their own to the same list. */
const OWN_TYPES: ReadonlySet<string> = new Set([
  'Programmed',
  'Enforced',
  'Released',
  'GuestProvisioned',
  'GuestFirewallBypassed',
  'TunnelEstablished',
]);

/** The whole status as it is to be, given the one that stands. Pure. */
export function completeStatus(
  { conditions, tunnel, ...report }: AttachmentReport,
  { counters, lastViolations }: Coarse,
  before: VmNetworkAttachmentStatus | undefined,
  now: Date,
): VmNetworkAttachmentStatus {
  const counts = counters ?? before?.counters;
  const exposure = report.exposureMilliseconds ?? exposureBefore(report, before);
  const foreign = (before?.conditions ?? []).filter(({ type }) => !OWN_TYPES.has(type));
  return {
    ...report,
    ...(exposure === undefined ? {} : { exposureMilliseconds: exposure }),
    conditions: [
      ...stamped(conditions, before?.conditions ?? [], report.observedGeneration, now),
      ...foreign,
    ],
    ...(counts === undefined ? {} : { counters: counts }),
    ...(tunnel === undefined
      ? {}
      : { tunnel: isSameHandshake(before?.tunnel, tunnel) ? before?.tunnel : tunnel }),
    ...(lastViolations.length === 0 ? {} : { lastViolations: [...lastViolations] }),
  };
}

type Tunnel = VmNetworkAttachmentStatus['tunnel'];

function isSameHandshake(before: Tunnel, now: Tunnel): boolean {
  const apartMs = Date.parse(now?.lastHandshake ?? '') - Date.parse(before?.lastHandshake ?? '');
  return Math.abs(apartMs) <= SAME_HANDSHAKE_MS;
}

/** What an earlier run of the agent measured of the same interface. */
function exposureBefore(
  { interface: now }: Pick<AttachmentReport, 'interface'>,
  before: VmNetworkAttachmentStatus | undefined,
): number | undefined {
  const was = before?.interface;
  const isTheSame = was?.ifindex === now?.ifindex && was?.netns === now?.netns;
  return now !== undefined && isTheSame ? before?.exposureMilliseconds : undefined;
}

/** `lastTransitionTime` moves only when a status does. */
export function stamped(
  conditions: readonly PlannedCondition[],
  before: readonly StoredCondition[],
  observedGeneration: number,
  now: Date,
): StoredCondition[] {
  return conditions.map((condition) => {
    const old = before.find(({ type }) => type === condition.type);
    const lastTransitionTime = old?.status === condition.status ? old.lastTransitionTime : wholeSeconds(now);
    return { ...condition, observedGeneration, lastTransitionTime };
  });
}

/** When it was read back is no change: each pass reads back. */
export function changeBetween(
  before: VmNetworkAttachmentStatus | undefined,
  next: VmNetworkAttachmentStatus,
): Change {
  if (before === undefined || reportText(before) !== reportText(next)) return 'report';
  return coarseText(before) === coarseText(next) ? 'none' : 'coarse';
}

/** metav1.Time, which has no fraction. */
function wholeSeconds(now: Date): string {
  return `${now.toISOString().slice(0, 19)}Z`;
}

function reportText({
  counters: _counters,
  lastViolations: _violations,
  tunnel: _tunnel,
  ...rest
}: VmNetworkAttachmentStatus): string {
  const { enforced } = rest;
  return canonicalJson({
    ...rest,
    ...(enforced === undefined ? {} : { enforced: { ...enforced, verifiedAt: '' } }),
  });
}

function coarseText({ counters, lastViolations = [], tunnel }: VmNetworkAttachmentStatus): string {
  return canonicalJson({ counters: counters ?? null, lastViolations, tunnel: tunnel ?? null });
}
