import type { ResolvedPolicy } from '../../api/v1alpha1/index.ts';
import { ROTATE_KEY, rotationAsked } from './plan/rotation-asked.ts';
import { CLOSED_FINALIZER, HOST_SINCE } from '../kinds.ts';
import type { Attachment, Network } from '../kinds.ts';
import type { SelectedVm } from './binding.ts';
import { attachmentName, cardKey, cardOf, cardsOf } from './card.ts';
import type { Card } from './card.ts';
import type { HostState } from './host-health.ts';
import type { Judgement } from './judgement.ts';
import { PolicyResolver } from './policy-resolver.ts';
import { planSealing } from './sealing.ts';
import type { Sealing } from './sealing.ts';
import type { SecretState } from './secret-state.ts';

/** What to do about one network's attachments. Names are distinct; the order within a list does not matter. */
export interface AttachmentPlan {
  readonly create: readonly PlannedSpec[];
  readonly update: readonly PlannedUpdate[];
  readonly remove: readonly Attachment[];
  /** Their hosts have said that they deny, or are gone: the finalizer goes. */
  readonly release: readonly Attachment[];
  /** Cards that have no attachment yet, and what they wait for. */
  readonly waiting: readonly WaitingCard[];
  /** Cards of the VMs that the network owns, and those that it holds though nobody reports them at present. */
  readonly desired: number;
}

export interface PlannedSpec {
  readonly name: string;
  readonly card: SelectedCard;
  readonly policy: ResolvedPolicy;
  readonly policyGeneration: number;
  readonly sealing: Sealing;
  /** Annotations. */
  readonly notes: Notes;
}

/** `HOST_SINCE` and `ROTATE_KEY`, as far as there is something to note. */
export type Notes = Readonly<Record<string, string>>;

export interface PlannedUpdate {
  readonly attachment: Attachment;
  /** Null: only of its metadata something is missing. */
  readonly policy: ResolvedPolicy | null;
  readonly policyGeneration: number;
  readonly sealing: Sealing;
  /** Annotations that it is to have besides those that it has. */
  readonly notes: Notes;
}

export interface SelectedCard extends Card {
  readonly vm: SelectedVm['vm'];
}

export interface WaitingCard {
  readonly card: SelectedCard;
  /** `host`: its agent is not heard. `other`: another attachment stands there. `name`: its name is taken. */
  readonly for: 'host' | 'other' | 'name' | 'decision';
}

export interface AttachmentPlanInput {
  readonly network: Network;
  readonly judgement: Judgement;
  readonly secret: SecretState;
  /** VMs that the network selects, whoever owns them. */
  readonly vms: readonly SelectedVm[];
  readonly hosts: ReadonlyMap<string, HostState>;
  /** Attachments that name this network, its own and those of a former network of that name. */
  readonly attachments: readonly Attachment[];
  /** Whether an attachment of any other network stands on a card, or is on its way there. */
  readonly isTaken: (card: Card) => boolean;
  /** Whether a host reports a card at present. */
  readonly isReported: (card: Card) => boolean;
  readonly nowMs: number;
}

/** Which attachments a network is to have. Pure. */
export function planAttachments(input: AttachmentPlanInput): AttachmentPlan {
  const { network, judgement, attachments } = input;
  const owned = input.vms.filter(({ owner }) => owner.metadata.uid === network.metadata.uid);
  const deleting = network.metadata.deletionTimestamp !== undefined;
  const cards = new Map(owned.flatMap(selectedCards).map((card) => [cardKey(card), card]));
  const wanted = judgement.verdict === 'refused' || deleting ? new Map<string, SelectedCard>() : cards;
  const policies =
    judgement.verdict === 'refused'
      ? null
      : new PolicyResolver({ ...judgement, network: network.metadata.name, nowMs: input.nowMs });

  const update: PlannedUpdate[] = [];
  const remove: Attachment[] = [];
  const release: Attachment[] = [];
  const served = new Set<string>();
  for (const attachment of attachments) {
    if (attachment.metadata.deletionTimestamp !== undefined) {
      const note = noteOf(attachment, input);
      if (isClosed(attachment, input)) release.push(attachment);
      else if (note !== null) update.push(note);
      continue;
    }
    const card = cardOf(attachment);
    const key = cardKey(card);
    if (policies === null || deleting || !keeps(attachment, wanted.get(key), input)) {
      remove.push(attachment);
      continue;
    }
    served.add(key);
    const planned = updateOf(attachment, policies, input);
    if (planned !== null) update.push(planned);
  }

  const names = new Set(attachments.map(({ metadata }) => metadata.name));
  const create: PlannedSpec[] = [];
  const waiting: WaitingCard[] = [];
  for (const [key, card] of wanted) {
    if (served.has(key) || policies === null) continue;
    const name = attachmentName(network.metadata.name, card);
    const obstacle = obstacleOf(card, names.has(name), input);
    if (obstacle !== null) {
      waiting.push({ card, for: obstacle });
      continue;
    }
    names.add(name);
    const host = input.hosts.get(card.nodeName);
    const sealing = planSealing(input.secret, undefined, host?.sealingKey);
    const policy = policies.resolve(undefined, hasTunnel(input.secret, sealing));
    create.push({ name, card, policy, policyGeneration: 1, sealing, notes: notesOf(network, host) });
  }
  const desired = cards.size + [...served].filter((key) => !cards.has(key)).length;
  return { create, update, remove, release, waiting, desired };
}

/** An attachment belongs to a network by its uid: one of a former network of the same name does not. */
export function belongsTo(attachment: Attachment, network: Network): boolean {
  return (attachment.metadata.ownerReferences ?? []).some(
    ({ controller, uid }) => controller === true && uid === network.metadata.uid,
  );
}

/**
 * Whether a network may not go before this attachment has: it is its own, or names it and is nobody's. `kubectl delete
 * --cascade=orphan` has the garbage collector take the owner off.
 */
export function holdsNetwork(attachment: Attachment, network: Network): boolean {
  const owned = (attachment.metadata.ownerReferences ?? []).some(({ controller }) => controller === true);
  return (
    belongsTo(attachment, network) || (!owned && attachment.spec.policy.network === network.metadata.name)
  );
}

/**
 * Whether what is being deleted may go: its host said, of this very generation, that the VM reaches nothing more, or that
 * its card is gone; or the host itself was declared gone.
 */
export function isClosed(attachment: Attachment, { hosts }: Pick<AttachmentPlanInput, 'hosts'>): boolean {
  if (!hasFinalizer(attachment)) return false;
  if (hosts.get(attachment.spec.nodeName)?.health === 'gone') return true;
  const { conditions = [], observedGeneration } = attachment.status ?? {};
  const released = conditions.find(({ type }) => type === 'Released');
  const said = released?.observedGeneration ?? observedGeneration;
  return released?.status === 'True' && said !== undefined && said >= (attachment.metadata.generation ?? 0);
}

function keeps(
  attachment: Attachment,
  wanted: SelectedCard | undefined,
  { network, hosts, isReported }: AttachmentPlanInput,
): boolean {
  if (!belongsTo(attachment, network)) return false;
  const card = cardOf(attachment);
  if (attachment.metadata.name !== attachmentName(network.metadata.name, card)) return false;
  if (wanted !== undefined) return true;
  // Reported and not wanted: somebody else's, or no longer selected. Not reported: only a living agent is believed.
  if (isReported(card)) return false;
  const health = hosts.get(card.nodeName)?.health ?? 'unknown';
  return health !== 'fresh' && health !== 'gone';
}

function obstacleOf(
  card: SelectedCard,
  nameTaken: boolean,
  input: AttachmentPlanInput,
): WaitingCard['for'] | null {
  if (input.judgement.verdict === 'undecided') return 'decision';
  if (input.hosts.get(card.nodeName)?.health !== 'fresh') return 'host';
  if (input.isTaken(card)) return 'other';
  // Its own that is still being deleted, or by chance one of another card.
  return nameTaken ? 'name' : null;
}

function updateOf(
  attachment: Attachment,
  policies: PolicyResolver,
  { network, secret, hosts }: AttachmentPlanInput,
): PlannedUpdate | null {
  const { spec } = attachment;
  const host = hosts.get(spec.nodeName);
  const sealing = planSealing(secret, spec.sealedPresharedKey, host?.sealingKey);
  const tunnel = hasTunnel(secret, sealing);
  const isSealed = sealing.kind === 'none' ? spec.sealedPresharedKey === undefined : sealing.kind === 'keep';
  const same = isSealed && policies.isCurrent(attachment, tunnel);
  const notes = notesOf(network, host);
  if (same && isNoted(attachment, notes) && hasFinalizer(attachment)) return null;
  const policy = same ? null : policies.resolve(spec.policy, tunnel);
  const policyGeneration = spec.policyGeneration + (same ? 0 : 1);
  return { attachment, policy, policyGeneration, sealing, notes };
}

/** Of one that is being deleted: what tells, should its host be declared gone, that there was one. */
function noteOf(attachment: Attachment, { hosts }: Pick<AttachmentPlanInput, 'hosts'>): PlannedUpdate | null {
  const { nodeName, policyGeneration } = attachment.spec;
  const notes = hostNotes(hosts.get(nodeName));
  if (isNoted(attachment, notes) || !hasFinalizer(attachment)) return null;
  return { attachment, policy: null, policyGeneration, sealing: { kind: 'none' }, notes };
}

function notesOf({ metadata }: Network, host: HostState | undefined): Notes {
  const rotation = rotationAsked(metadata.annotations);
  return { ...hostNotes(host), ...(rotation === undefined ? {} : { [ROTATE_KEY]: rotation }) };
}

function hostNotes(host: HostState | undefined): Notes {
  return host?.since === undefined ? {} : { [HOST_SINCE]: host.since };
}

function isNoted({ metadata: { annotations } }: Attachment, notes: Notes): boolean {
  return Object.entries(notes).every(([name, value]) => annotations?.[name] === value);
}

function hasFinalizer({ metadata }: Attachment): boolean {
  return (metadata.finalizers ?? []).includes(CLOSED_FINALIZER);
}

/** A guest that was promised a pre-shared key is not provisioned without one. */
function hasTunnel(secret: SecretState, sealing: Sealing): boolean {
  return secret.state === 'none' || sealing.kind !== 'none';
}

function selectedCards(selected: SelectedVm): SelectedCard[] {
  return cardsOf(selected).map((card) => ({ ...card, vm: selected.vm }));
}
