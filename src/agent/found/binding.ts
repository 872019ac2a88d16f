import type { DesiredAttachment, ObjectionInput } from '../attachment/desired.ts';
import { addressFault, enforcedHere } from '../attachment/desired.ts';
import type { HostCard, HostVm } from '../discovery/directory.ts';
import type { Link } from '../host/kernel.ts';
import type { CardIntent } from '../source/wanted.ts';
import { cardKeyOf, isSameCard } from '../wiring/card-key.ts';
import type { FoundCard } from '../wiring/card-key.ts';
import { isTapName, ownerOfAlias } from '../wiring/identity.ts';
import { isManaged, isNamedBy, isTap } from '../wiring/managed.ts';
import type { RecordState } from '../wiring/record.ts';
import { parsePinName, pinNameOf } from './pins.ts';
import type { FoundWish } from './plan.ts';

/*
 * Theory of operation
 *
 * Which links of a network namespace are ours to close, and which card is behind each. A link is managed if its name says so,
 * if something is wanted of a card on it, or if it has our programs; others are not looked at. A card is on a link if the
 * directory says so of the link's number and name, exactly one card is there, and the process that holds it still runs. In
 * every other case nothing passes, and what is said is why.
 *
 * A link of another name than the directory knows was renamed a moment ago, or another took its number. Only what the kernel
 * shows can tell: the programs of a device go with it. So what is in force there for this very card stays, and nothing new is
 * put in force until the directory has looked again.
 */

export interface BindingInput extends ObjectionInput {
  /** See Site. */
  readonly site: string | null;
  readonly links: readonly Link[];
  /** Names of all pins. */
  readonly pins: ReadonlySet<string>;
  readonly patterns: readonly string[];
  readonly cards: readonly CardIntent[];
  readonly vms: readonly HostVm[];
  readonly records: ReadonlyMap<string, RecordState>;
  /** Records whose guest address an older one has too; see addressClashes. */
  readonly clashes: ReadonlyMap<string, string>;
  readonly isRunning: (process: { readonly pid: number; readonly startTicks: string }) => boolean;
  /** Whether the programs on this link are in their places and judge by a policy that was made for the guest of this record. */
  readonly isInForceFor: (
    pins: string,
    ifindex: number,
    guest: { readonly guestMac: string; readonly guestAddress: string },
  ) => boolean;
}

export interface BoundLink extends FoundWish {
  /** Null: it is gone, and its pins are not. */
  readonly link: Link | null;
}

/** What is wanted of every managed link, by the name of its pins. Pure but for the two questions. */
export function bindLinks(input: BindingInput): Map<string, BoundLink> {
  const bound = new Map<string, BoundLink>();
  for (const link of input.links) {
    const pins = pinNameOf(input.site, link.ifindex);
    if (!isTap(link) || isOwn(link, input.pins)) continue;
    const claims = claimsOn(link, input);
    const isWanted = claims.some((claim) => input.cards.some((card) => isSameCard(card, claim)));
    if (!isWanted && !input.pins.has(pins) && !isNamed(link.name, input.patterns)) continue;
    bound.set(pins, { ...wishFor(link, pins, claims, input), link });
  }
  for (const pins of input.pins) {
    const parsed = parsePinName(pins);
    if (parsed === null || parsed.site !== input.site || bound.has(pins)) continue;
    const desired: DesiredAttachment = { want: 'deny', vm: null, network: null, reason: GONE };
    bound.set(pins, { desired, card: null, link: null });
  }
  return bound;
}

const GONE = 'the interface is gone';

/** A tap that we made, by its alias; or that somebody took the alias off, and whose pins are still there. */
export function isOwn({ alias, name }: Link, pins: ReadonlySet<string>): boolean {
  return ownerOfAlias(alias, name) !== null || (isTapName(name) && pins.has(name));
}

/** Whether the name alone makes it managed. One that could be a tap of ours and is none is refused where that one is to be made. */
function isNamed(name: string, patterns: readonly string[]): boolean {
  return isTapName(name) ? isNamedBy(name, patterns) : isManaged(name, patterns);
}

interface Claim extends FoundCard {
  readonly vm: HostVm;
  readonly card: HostCard;
}

function claimsOn({ ifindex }: Link, { site, vms }: BindingInput): Claim[] {
  return vms.flatMap((vm) =>
    vm.cards
      .filter(({ link }) => link !== null && link.netns === site && link.ifindex === ifindex)
      .map((card) => ({ vmId: vm.reported.id, mac: card.mac, vm, card })),
  );
}

function wishFor(link: Link, pins: string, claims: readonly Claim[], input: BindingInput): FoundWish {
  const [claim] = claims;
  if (claim === undefined) return denied(null, 'no VM is known to be on this interface');
  const card = { vmId: claim.vmId, mac: claim.mac };
  if (claims.length > 1)
    return denied(null, `${claims.length} network cards are said to be on this interface`);
  const { unsupported, pid, startTicks } = claim.card;
  const wishes = input.cards.filter((wish) => isSameCard(wish, card));
  const [wish, another] = wishes;
  if (unsupported !== null) return denied(card, unsupported, another === undefined ? wish?.network : null);
  if (card.mac === '') return denied(card, 'the MAC address of the card is not known');
  const isThere = pid !== null && startTicks !== null && input.isRunning({ pid, startTicks });
  if (!isThere) return denied(card, 'the process that holds it has ended');
  if (wish === undefined)
    return denied(card, `no VMNetwork names this VM${input.complete ? '' : ' that can be read'}`);
  if (wishes.length > 1) return denied(card, `${wishes.length} wishes are for this one network card`);
  const { intent, network } = wish;
  if (intent === null) return denied(card, wish.reason, network);
  if (isElsewhereToo(card, input))
    return denied(card, 'the card is said to be on several interfaces', network);
  const state = input.records.get(cardKeyOf(card));
  const record = state?.state === 'ok' ? state.record : null;
  const enforced = addressFault(record, input.clashes, input.pool) ?? enforcedHere(intent, record, input);
  if (typeof enforced === 'string') return denied(card, enforced, network);
  const isKnown =
    link.name === claim.card.link?.name ||
    (record !== null && input.isInForceFor(pins, link.ifindex, record));
  if (!isKnown) return denied(card, `whether it is still on ${link.name} is being looked at`, network);
  const { vmId: vm } = card;
  return { desired: { want: 'program', vm, network: intent.network, asked: intent, intent: enforced }, card };
}

function isElsewhereToo(card: FoundCard, { vms }: BindingInput): boolean {
  const places = vms
    .filter(({ reported }) => reported.id === card.vmId)
    .flatMap(({ cards }) => cards.filter(({ mac, link }) => mac === card.mac && link !== null));
  return places.length > 1;
}

function denied(card: FoundCard | null, reason: string, network: string | null = null): FoundWish {
  return { card, desired: { want: 'deny', vm: card?.vmId ?? null, network, reason } };
}
