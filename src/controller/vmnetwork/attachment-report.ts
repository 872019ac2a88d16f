import { printable } from '../../api/printable.ts';
import type { ResolvedPolicy } from '../../api/v1alpha1/index.ts';
import { isSealingKey } from '../../wireguard/sealed-key.ts';
import type { Attachment, Network } from '../kinds.ts';
import { compare } from './age.ts';
import { belongsTo } from './attachment-plan.ts';
import type { AttachmentPlan, WaitingCard } from './attachment-plan.ts';
import type { HostState } from './host-health.ts';
import type { ReportedVm } from './selection.ts';

/** What is known of one wanted card, from its attachment's status. */
export interface CardReport {
  /** `VM rental-7f3a on node-3`; reports come in this order. */
  readonly title: string;
  readonly nodeName: string;
  /** The agent has not been heard from. */
  readonly stale: boolean;
  /** And that is because the VMNetworkNode of its host is missing, or tells nothing yet. */
  readonly lost?: boolean;
  /** The agent took the policy of the present spec, or why not. */
  readonly programmed: Said;
  readonly enforced: Said;
  /** Has a meaning only where guests are to be provisioned. Null: its agent has said nothing of it. */
  readonly provisioned: Said | null;
  readonly tunnel: Said | null;
  /** Whether it sends what the firewall that it was given stops. Null: it was given none, as far as its agent knows. */
  readonly bypassed: Said | null;
  /** When its agent saw the last handshake (RFC 3339); undefined: it tells of none. */
  readonly lastHandshake?: string | undefined;
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
/** Said of a guest that is to be provisioned. */
const NOT_UNDERSTOOD: Said = {
  status: 'Unknown',
  reason: 'Pending',
  message: 'its agent says that the policy does not ask for it',
};
/** Tunnels come and go, and guests are started anew: what an agent said of one before it fell silent is not known any more. */
const NOT_HEARD: Said = {
  status: 'Unknown',
  reason: 'AgentStale',
  message: 'its agent has not been heard from',
};

/**
 * One report for each wanted card. Pure. Believed is only what speaks of this very spec: the generation for conditions,
 * the hash that was read back for what is enforced. An old `True` never counts for a new policy.
 *
 * @param vms that the network selects, as they are called now: an attachment keeps the name that its VM had when it was made
 * @param lastStale the network's status of before: a host in doubt is taken for what it was taken for
 */
export function cardReports(
  network: Network,
  attachments: readonly Attachment[],
  plan: AttachmentPlan,
  hosts: ReadonlyMap<string, HostState>,
  vms: readonly ReportedVm[],
  lastStale: boolean,
): CardReport[] {
  const changing = new Map(
    plan.update.flatMap(({ attachment, policy }) =>
      policy === null ? [] : [[attachment.metadata.name, policy]],
    ),
  );
  const names = new Map(vms.map(({ nodeName, vm }) => [`${nodeName}\n${vm.id}`, vm.name]));
  const leaving = new Set(plan.remove.map(({ metadata }) => metadata.name));
  const standing = attachments.filter(
    (attachment) =>
      attachment.metadata.deletionTimestamp === undefined &&
      !leaving.has(attachment.metadata.name) &&
      belongsTo(attachment, network),
  );
  const viewOf = (nodeName: string, vmName: string, policy?: ResolvedPolicy): View => {
    const host = hosts.get(nodeName);
    const lost = host?.health === 'unknown';
    const stale = lost || host?.health === 'stale' || (host?.health === 'doubt' && lastStale);
    const keyless = policy === undefined ? null : keylessness(policy, nodeName, host);
    return { title: `VM ${vmName} on ${nodeName}`, nodeName, stale, lost, keyless };
  };
  const reports = [
    ...standing.map((attachment) => {
      const { nodeName, vm, policy: present } = attachment.spec;
      const next = changing.get(attachment.metadata.name);
      const view = viewOf(nodeName, names.get(`${nodeName}\n${vm.id}`) ?? vm.name, next ?? present);
      return next === undefined ? reportOf(attachment, view) : unanswered(view, NOT_YET);
    }),
    ...plan.create.map(({ card, policy }) =>
      unanswered(viewOf(card.nodeName, card.vm.name, policy), NOT_YET),
    ),
    ...plan.waiting.map(({ card, for: obstacle }) =>
      unanswered(viewOf(card.nodeName, card.vm.name), { ...NOT_YET, message: WAITS[obstacle] }),
    ),
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

/** What is known of a card whatever its agent says. */
interface View extends Pick<CardReport, 'title' | 'nodeName' | 'stale' | 'lost'> {
  /** Its guest was promised a pre-shared key and there is none for it, so it is told of no tunnel. */
  readonly keyless: Said | null;
}

function reportOf(attachment: Attachment, view: View): CardReport {
  const said = (type: string): Said | null => present(attachment, type);
  const isReadBack = attachment.status?.enforced?.policyHash === attachment.spec.hash;
  const programmed = said('Programmed') ?? NOT_YET;
  const enforced = said('Enforced') ?? NOT_YET;
  const mismatch: Said = {
    status: 'False',
    reason: 'ReadBackMismatch',
    message: 'what was read back is not the policy of now',
  };
  const unproven = enforced.status === 'True' && !isReadBack;
  const card = report(view, {
    programmed: programmed.status === 'True' && !isReadBack ? NOT_YET : programmed,
    enforced: unproven ? mismatch : enforced,
    provisioned: said('GuestProvisioned'),
    tunnel: said('TunnelEstablished'),
    bypassed: said('GuestFirewallBypassed'),
  });
  return { ...card, lastHandshake: attachment.status?.tunnel?.lastHandshake };
}

function unanswered(view: View, why: Said): CardReport {
  return report(view, { programmed: why, enforced: why, provisioned: null, tunnel: null, bypassed: null });
}

function report(
  { keyless, ...card }: View,
  said: Pick<CardReport, 'programmed' | 'enforced' | 'provisioned' | 'tunnel' | 'bypassed'>,
): CardReport {
  const heard = (what: Said | null) => (card.stale ? NOT_HEARD : what);
  const isUnasked = (what: Said | null) => what?.reason === 'NotRequested';
  return {
    ...card,
    ...said,
    // Where a key is missing its agent sees a policy without a tunnel, and rightly says that nothing was asked of it.
    provisioned: keyless ?? heard(isUnasked(said.provisioned) ? NOT_UNDERSTOOD : said.provisioned),
    tunnel: heard(isUnasked(said.tunnel) ? (keyless ?? said.tunnel) : said.tunnel),
    bypassed: said.bypassed === null ? null : heard(said.bypassed),
  };
}

/** A policy tells of its tunnel always, but where the key that was promised is not there; see `hasTunnel` of the plan. */
function keylessness(policy: ResolvedPolicy, nodeName: string, host: HostState | undefined): Said | null {
  if (policy.wireGuard !== undefined) return null;
  const message = isSealingKey(host?.sealingKey)
    ? 'no pre-shared key could be sealed for it; see Accepted'
    : `its host publishes no key that a pre-shared key can be sealed to (status.sealingKey of VMNetworkNode ${nodeName}). Ask the provider to update or restart the agent there.`;
  return { status: 'False', reason: 'Pending', message };
}

function present({ metadata, status }: Attachment, type: string): Said | null {
  const found = status?.conditions?.find((condition) => condition.type === type);
  if (found === undefined) return null;
  const of = found.observedGeneration ?? status?.observedGeneration;
  if (of === undefined || of < (metadata.generation ?? 0)) return null;
  return { status: found.status, reason: found.reason, message: printable(found.message, LONGEST_MESSAGE) };
}
