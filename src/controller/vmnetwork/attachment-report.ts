import { printable } from '../../api/printable.ts';
import type { Attachment, Network } from '../kinds.ts';
import { compare } from './age.ts';
import { belongsTo } from './attachment-plan.ts';
import type { AttachmentPlan, WaitingCard } from './attachment-plan.ts';
import type { HostHealth, HostState } from './host-health.ts';

/** What is known of one wanted card, from its attachment's status. */
export interface CardReport {
  /** `VM rental-7f3a on node-3`; reports come in this order. */
  readonly title: string;
  readonly nodeName: string;
  /** The agent has not been heard from. */
  readonly stale: boolean;
  /** The agent took the policy of the present spec, or why not. */
  readonly programmed: Said;
  readonly enforced: Said;
  readonly provisioned: Said | null;
  readonly tunnel: Said | null;
}

/** One condition of an attachment, if it speaks of the present spec. */
export interface Said {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

/** Longest message of an agent that is repeated. */
const LONGEST_MESSAGE = 512;

const NOT_YET: Said = { status: 'False', reason: 'Pending', message: 'its agent has not answered yet' };

/**
 * One report for each wanted card. Pure. Believed is only what speaks of this very spec: the generation for conditions,
 * the hash that was read back for what is enforced. An old `True` never counts for a new policy.
 *
 * @param lastStale the network's status of before: a host in doubt is taken for what it was taken for
 */
export function cardReports(
  network: Network,
  attachments: readonly Attachment[],
  plan: AttachmentPlan,
  hosts: ReadonlyMap<string, HostState>,
  lastStale: boolean,
): CardReport[] {
  const changing = new Set(
    plan.update.filter(({ policy }) => policy !== null).map(({ attachment }) => attachment.metadata.name),
  );
  const leaving = new Set(plan.remove.map(({ metadata }) => metadata.name));
  const standing = attachments.filter(
    (attachment) =>
      attachment.metadata.deletionTimestamp === undefined &&
      !leaving.has(attachment.metadata.name) &&
      belongsTo(attachment, network),
  );
  const isStale = (health: HostHealth | undefined) => health === 'stale' || (health === 'doubt' && lastStale);
  const reports = [
    ...standing.map((attachment) => {
      const { nodeName, vm } = attachment.spec;
      const stale = isStale(hosts.get(nodeName)?.health);
      return reportOf(attachment, stale, vm.name, changing.has(attachment.metadata.name));
    }),
    ...plan.create.map(({ card }) => unanswered(card.vm.name, card.nodeName, false, NOT_YET)),
    ...plan.waiting.map(({ card, for: obstacle }) => {
      const stale = isStale(hosts.get(card.nodeName)?.health);
      return unanswered(card.vm.name, card.nodeName, stale, { ...NOT_YET, message: WAITS[obstacle] });
    }),
  ];
  // Caches give no order, and a message that names another card each time would be a change each time.
  return reports.sort((a, b) => compare(a.title, b.title));
}

const WAITS: Readonly<Record<WaitingCard['for'], string>> = {
  host: 'its host is not heard from',
  other: 'the attachment that stood there before is not gone yet',
  name: 'an earlier attachment of that name is not gone yet',
  decision: 'waits for the pre-shared key',
};

function reportOf(attachment: Attachment, stale: boolean, vmName: string, changing: boolean): CardReport {
  const { nodeName, hash } = attachment.spec;
  const title = `VM ${vmName} on ${nodeName}`;
  if (changing) return { ...unanswered(vmName, nodeName, stale, NOT_YET), title };
  const said = (type: string): Said | null => present(attachment, type);
  const isReadBack = attachment.status?.enforced?.policyHash === hash;
  const programmed = said('Programmed') ?? NOT_YET;
  const enforced = said('Enforced') ?? NOT_YET;
  const mismatch: Said = {
    status: 'False',
    reason: 'ReadBackMismatch',
    message: 'what was read back is not the policy of now',
  };
  const unproven = enforced.status === 'True' && !isReadBack;
  return {
    title,
    nodeName,
    stale,
    programmed: programmed.status === 'True' && !isReadBack ? NOT_YET : programmed,
    enforced: unproven ? mismatch : enforced,
    provisioned: said('GuestProvisioned'),
    tunnel: said('TunnelEstablished'),
  };
}

function unanswered(vmName: string, nodeName: string, stale: boolean, why: Said): CardReport {
  const title = `VM ${vmName} on ${nodeName}`;
  return { title, nodeName, stale, programmed: why, enforced: why, provisioned: null, tunnel: null };
}

function present({ metadata, status }: Attachment, type: string): Said | null {
  const found = status?.conditions?.find((condition) => condition.type === type);
  if (found === undefined) return null;
  const of = found.observedGeneration ?? status?.observedGeneration;
  if (of === undefined || of < (metadata.generation ?? 0)) return null;
  return { status: found.status, reason: found.reason, message: printable(found.message, LONGEST_MESSAGE) };
}
