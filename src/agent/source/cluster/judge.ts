import type { ResolvedPolicy } from '../../../api/v1alpha1/index.ts';
import type { PolicyIntent } from '../../../controller/vmnetwork/plan.ts';
import type { HostVm } from '../../discovery/directory.ts';
import { cardKeyOf } from '../../wiring/card-key.ts';
import { identityOf } from '../../wiring/identity.ts';
import type { HostView } from '../wanted.ts';
import { hostPolicy } from './host-policy.ts';
import { refusal } from './wishes.ts';
import type { Refusal, WishedAttachment, WishedClass } from './wishes.ts';

/** Where the card of an attachment is. */
export type CardPlace =
  /** On a tap that we made. */
  | { readonly at: 'tap'; readonly tap: string; readonly guestAddress: string }
  /** On this host, and not on a tap of ours. */
  | {
      readonly at: 'found';
      readonly unsupported: string | null;
      /** Null: the guest has none yet. */
      readonly guestAddress: string | null;
    }
  /** Not on this host. */
  | { readonly at: 'nowhere' }
  /** There is a tap of that name whose record cannot be read, or the records could not be listed. */
  | { readonly at: 'unknown' };

/** One attachment, and what this host makes of it. */
export interface JudgedAttachment {
  readonly attachment: WishedAttachment;
  readonly place: CardPlace;
  /** `namespace/name` of its network; null if that cannot be read. */
  readonly network: string | null;
  /** Null: nothing passes. */
  readonly intent: PolicyIntent | null;
  /** Why not; null where there is an intent, or no card that it could be for. */
  readonly refusal: Refusal | null;
}

export interface JudgeInput {
  readonly attachments: readonly WishedAttachment[];
  /** By name. */
  readonly classes: ReadonlyMap<string, WishedClass>;
  readonly host: HostView;
  readonly vms: readonly HostVm[];
  /** When the grace of its previous endpoint ends, CLOCK_MONOTONIC. */
  readonly untilNs: (uid: string, previous: PreviousEndpoint) => bigint;
}

type PreviousEndpoint = NonNullable<ResolvedPolicy['previousEndpoint']>;

/** What this host is to do for each attachment. Pure but for `untilNs`. */
export function judgeAttachments(input: JudgeInput): JudgedAttachment[] {
  const claims = new Map<string, number>();
  for (const attachment of input.attachments) {
    const key = cardKey(attachment);
    if (key !== null) claims.set(key, (claims.get(key) ?? 0) + 1);
  }
  return input.attachments.map((attachment) => {
    const place = placeOf(attachment, input);
    const network =
      attachment.spec === null ? null : `${attachment.namespace}/${attachment.spec.policy.network}`;
    const rivals = (claims.get(cardKey(attachment) ?? '') ?? 1) - 1;
    const judged = { attachment, place, network };
    const refused = refusalOf(attachment, rivals);
    if (refused !== null) return { ...judged, intent: null, refusal: refused };
    if (!isReachable(place) || attachment.spec === null || network === null) {
      return { ...judged, intent: null, refusal: null };
    }
    const { policy } = attachment.spec;
    const { previousEndpoint } = policy;
    return {
      ...judged,
      ...hostPolicy({
        network,
        policy,
        networkClass: input.classes.get(policy.className),
        guestAddress: place.guestAddress,
        untilNs: previousEndpoint === undefined ? null : input.untilNs(attachment.uid, previousEndpoint),
      }),
    };
  });
}

/** What is wrong with the attachment itself, whatever its policy. */
function refusalOf({ deleting, fault }: WishedAttachment, rivals: number): Refusal | null {
  if (deleting) return refusal('Denied', 'its VMNetworkAttachment is being deleted');
  if (rivals > 0) {
    const message = `${rivals + 1} VMNetworkAttachments are for this one network card, so which one counts is not certain`;
    return refusal('Conflict', message);
  }
  return fault;
}

function placeOf({ card }: WishedAttachment, { host, vms }: JudgeInput): CardPlace {
  if (card === null) return { at: 'unknown' };
  const { tap } = identityOf(card.vmId);
  const own = host.taps.get(tap);
  if (own?.vm === card.vmId && own.mac === card.mac) {
    return { at: 'tap', tap, guestAddress: own.guestAddress };
  }
  const found = vms
    .find(({ reported }) => reported.id === card.vmId)
    ?.cards.find(({ mac }) => mac === card.mac);
  if (found !== undefined) {
    const guestAddress = host.cards.get(cardKeyOf(card))?.guestAddress ?? null;
    const closed = host.closedSites.get(found.link?.netns ?? '') ?? null;
    return { at: 'found', unsupported: found.unsupported ?? closed, guestAddress };
  }
  return own === null || !host.complete ? { at: 'unknown' } : { at: 'nowhere' };
}

function isReachable(place: CardPlace): place is CardPlace & { guestAddress: string | null } {
  return place.at === 'tap' || (place.at === 'found' && place.unsupported === null);
}

function cardKey({ card }: WishedAttachment): string | null {
  return card === null ? null : `${card.vmId}\n${card.mac}`;
}
