import type { MacAddress } from '../../api/v1alpha1/mac-address.ts';
import { passesTap, reasonAgainst } from './backends.ts';
import type { HostCard, HostLink } from './directory.ts';
import type { BackendFact, CardFact, VmFacts } from './facts.ts';
import type { ProcessKey } from './identity.ts';
import type { HeldTap } from './taps.ts';

/*
 * Theory of operation
 *
 * Two things are known of a VM's network: its cards and their backends, as somebody tells them, and the taps that its
 * process holds, as the kernel tells them. Which backend is which tap is told by the name of the interface, by the number of
 * the descriptor, by what was found before (a tap that was renamed stays behind its descriptor), and when only one backend
 * and one tap are left, by that. What remains is said to be unknown rather than guessed: a card on the wrong tap would be
 * given another card's policy.
 *
 * What is held counts: a tap that no card explains is listed as a card without a MAC address, and a card whose tap is not
 * held is listed only when somebody who knows (a monitor) says that it is there now.
 */

export interface CardsInput {
  readonly process: ProcessKey;
  readonly facts: VmFacts;
  /** The facts are of this moment, not of the start. */
  readonly current: boolean;
  readonly taps: readonly HeldTap[];
  /** Why the taps could not be read; null: they were. */
  readonly illegible: string | null;
  /** What this function found before. */
  readonly known: KnownTaps;
}

/** Backend to the tap that was found to be its; null: that one is gone. */
export type KnownTaps = ReadonlyMap<string, HeldTap | null>;

export interface FoundCards {
  /** Those with a MAC address first. */
  readonly cards: readonly HostCard[];
  readonly known: KnownTaps;
  /** Something is held that no card explains, or a card is told that nothing held explains: worth asking again soon. */
  readonly unexplained: boolean;
}

const ON_A_HUB = 'the card shares a hub with others (-net); give it a tap of its own: -netdev tap';

export function cardsOf(input: CardsInput): FoundCards {
  const { facts, process } = input;
  const backends = new Map(facts.backends.map((backend) => [backend.id, backend]));
  const uses = countOf(facts.cards.flatMap((card) => card.backends));
  const shared = (card: CardFact): boolean =>
    card.backends.length > 1 || card.backends.some((id) => (uses.get(id) ?? 0) > 1);
  const used = new Set(facts.cards.flatMap((card) => (shared(card) ? [] : card.backends)));
  const byTap = facts.backends.filter(
    ({ id, kind }) => used.has(id) && (passesTap(kind) || kind === 'macvtap'),
  );
  const found = matchTaps(byTap, input.taps, input);
  const card = (mac: string, link: HostLink | null, unsupported: string | null): HostCard => {
    return { mac, link, unsupported, pid: process.pid, startTicks: process.startTicks };
  };

  const cards: HostCard[] = [];
  let unexplained = false;
  for (const fact of facts.cards) {
    const [id = ''] = fact.backends;
    if (shared(fact)) {
      cards.push(card(fact.mac ?? '', null, ON_A_HUB));
      continue;
    }
    const backend = backends.get(id);
    const tap = found.get(id);
    if (backend !== undefined && tap !== undefined) {
      cards.push(card(fact.mac ?? '', tap.link, tapObjection(tap, fact.mac)));
      continue;
    }
    const onTap = backend !== undefined && passesTap(backend.kind);
    if (onTap && input.illegible === null && !input.current) {
      // Not opened yet, or unplugged since the start: who would know cannot be asked.
      unexplained = true;
      continue;
    }
    if (onTap) unexplained = true;
    cards.push(card(fact.mac ?? '', null, objection(fact, backend, input.illegible)));
  }
  const explained = new Set(found.values());
  for (const tap of input.taps) {
    if (explained.has(tap) || tap.kind === 'tun') continue;
    unexplained = true;
    cards.push(card('', tap.link, tapObjection(tap, null)));
  }
  return { cards: refuseTwins(cards), known: knownOf(found, facts.backends, input.known), unexplained };
}

/** Backends to the taps that are theirs. */
function matchTaps(
  backends: readonly BackendFact[],
  taps: readonly HeldTap[],
  { known, current }: CardsInput,
): Map<string, HeldTap> {
  const found = new Map<string, HeldTap>();
  const free = new Set(taps.filter(({ kind }) => kind !== 'tun'));
  const match = (is: (backend: BackendFact, tap: HeldTap) => boolean): void => {
    for (const backend of backends) {
      if (found.has(backend.id)) continue;
      const fitting = [...free].filter((tap) => is(backend, tap));
      const [only] = fitting;
      if (only === undefined || fitting.length > 1) continue;
      found.set(backend.id, only);
      free.delete(only);
    }
  };
  match((backend, tap) => backend.interface === tap.name);
  match((backend, tap) => isTheSame(known.get(backend.id), tap));
  match((backend, tap) => backend.fds.some((fd) => tap.fds.includes(fd)));
  const left = backends.filter((backend) => !found.has(backend.id) && mayBeAny(backend, known, current));
  const [backend] = left;
  const [tap] = free;
  if (backend !== undefined && tap !== undefined && left.length === 1 && free.size === 1)
    found.set(backend.id, tap);
  return found;
}

/**
 * Whether a tap that bears neither its name nor its number may be this one's: not if it had another that is gone; and by a
 * word of the start only if that says nothing of a name or a number (a helper opened it), for it may have been unplugged
 * since, and another plugged.
 */
function mayBeAny({ id, interface: name, fds }: BackendFact, known: KnownTaps, current: boolean): boolean {
  return !known.has(id) && (current || (name === null && fds.length === 0));
}

/** The same descriptor, and still the same tap behind it: renamed or moved, but not both at once. */
function isTheSame(before: HeldTap | null | undefined, tap: HeldTap): boolean {
  if (before == null || !before.fds.some((fd) => tap.fds.includes(fd))) return false;
  return before.name === tap.name || (before.key !== null && before.key === tap.key);
}

function knownOf(
  found: ReadonlyMap<string, HeldTap>,
  backends: readonly BackendFact[],
  before: KnownTaps,
): KnownTaps {
  const known = new Map<string, HeldTap | null>(found);
  for (const { id } of backends) if (before.has(id) && !found.has(id)) known.set(id, null);
  return known;
}

function tapObjection(tap: HeldTap, mac: MacAddress | null): string | null {
  if (tap.kind === 'macvtap') return reasonAgainst('macvtap');
  if (tap.reason !== null) return tap.reason;
  if (mac !== null) return null;
  return 'the MAC address of the card on this tap is not known; give QEMU mac=, or a QMP socket of its own (-qmp unix:PATH,server=on,wait=off)';
}

function objection(fact: CardFact, backend: BackendFact | undefined, illegible: string | null): string {
  if (fact.passthrough === true)
    return 'a device of the host that the VM drives itself: its frames never pass the kernel; use a tap';
  if (backend === undefined) {
    return fact.backends.length === 0
      ? 'the card has no network backend: there is nothing to filter'
      : 'the network backend of the card is not known: give QEMU a QMP socket of its own (-qmp unix:PATH,server=on,wait=off)';
  }
  if (!passesTap(backend.kind)) return reasonAgainst(backend.kind);
  return (
    illegible ?? "which of its taps is this card's is not known: keep the names that QEMU was started with"
  );
}

/** Two cards of one address are one to the API, and would be given one policy for two taps. */
function refuseTwins(cards: readonly HostCard[]): HostCard[] {
  const times = countOf(cards.map(({ mac }) => mac));
  const judged = cards.map((card) =>
    card.mac !== '' && (times.get(card.mac) ?? 0) > 1 && card.unsupported === null
      ? { ...card, unsupported: 'another card of this VM has the same MAC address: give each its own' }
      : card,
  );
  return [...judged.filter(({ mac }) => mac !== ''), ...judged.filter(({ mac }) => mac === '')];
}

function countOf(texts: readonly string[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const text of texts) times.set(text, (times.get(text) ?? 0) + 1);
  return times;
}
