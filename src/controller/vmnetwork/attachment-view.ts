import { ATTACHMENTS } from '../kinds.ts';
import type { Attachment } from '../kinds.ts';
import { isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { isNewer } from '../../kube/reflector/resource-version.ts';
import { keyOf, refOf } from '../../kube/resource.ts';
import type { Store } from '../../kube/store/store.ts';
import type { Clock } from '../../lib/clock.ts';
import { holdersIn, networksOf, vmKey, vmOf } from './attachment-names.ts';
import type { HeldVm, Holder } from './attachment-names.ts';
import { cardKey, cardOf } from './card.ts';
import type { Card } from './card.ts';

/*
 * Theory of operation
 *
 * The cache runs behind the API server. A plan that does not see its own writes would make them again; a plan that does not
 * see the write of another worker could give one card to two networks. So all workers share this view: the cache, and over
 * it whatever this process wrote and the cache has not shown yet.
 *
 *   claimed   before a create is sent, in one turn with the look at the card: no other network can claim the card, nor
 *             does this one send it again
 *   written   after an answer: what the server stored. It counts until the cache shows it or something newer
 *   in doubt  the answer was lost. It stays claimed, the same network may try again (the name is the same, so there is
 *             still only one; if the server refuses that try, the doubt about the first is back), and it is settled by the cache, or by asking the server once no request can still be
 *             under way
 *
 * Whoever has an attachment for a VM, or one on its way, holds it, and keeps it from older networks (binding.ts). Attachments
 * persist, so the next leader finds the same holders.
 *
 * What another controller wrote is seen because a new leader lists everything after it has the Lease, and because the
 * old one may not send any more (fence()).
 */

/** After this long a request that was sent has been answered or dropped by the server (its own limit is 60 s). */
const REQUEST_IS_OVER_MS = 75_000;
/** What the cache has not shown after this long is asked for. One that the server failed at is over by then: etcd has it or never will. */
const CACHE_IS_LATE_MS = 30_000;

/** What is known of a create that failed: the server said no, or was not reached; it answered that it failed; it did not answer. */
export type AfterFailure = 'not made' | 'answered' | 'unanswered';

/** @param by networks that know already */
type FreeHandler = (card: Pick<Card, 'nodeName' | 'vmId'>, by: readonly string[]) => void;

interface Place {
  readonly key: string;
  readonly card: string;
  readonly vm: HeldVm;
  readonly networks: readonly string[];
  readonly holders: readonly Holder[];
  readonly sinceMs: number;
}

interface Doubt extends Place {
  readonly state: 'doubt';
  readonly object: null;
  /** From then on it is as the server says, monotonic. */
  readonly overMs: number;
}

type Entry =
  | Doubt
  /** `doubt`: an earlier create of the same name whose answer was lost. */
  | (Place & { readonly state: 'claimed'; readonly object: null; readonly doubt: Doubt | null })
  | (Place & { readonly state: 'written'; readonly object: Attachment });

export class AttachmentView {
  readonly #store: Store<Attachment>;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #byCard = new Map<string, Set<string>>();
  readonly #byNetwork = new Map<string, Set<string>>();
  readonly #byVm = new Map<string, Set<string>>();
  readonly #byUuid = new Map<string, Set<string>>();
  #onFree: FreeHandler = () => undefined;
  #onHeld: (vm: HeldVm) => void = () => undefined;

  constructor(store: Store<Attachment>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** A card that looked taken is not, and no event of the cache will say so. */
  onFree(handler: FreeHandler): void {
    this.#onFree = handler;
  }

  /** Who holds a VM may have changed. Called when it has, in the same turn. */
  onHeld(handler: (vm: HeldVm) => void): void {
    this.#onHeld = handler;
  }

  /** Attachments that name this network (`namespace/name`). */
  ofNetwork(network: string): Attachment[] {
    return this.#merged(this.#store.byIndex('network', network), this.#byNetwork.get(network));
  }

  onNode(nodeName: string): readonly Attachment[] {
    return this.#store.byIndex('node', nodeName);
  }

  ofVm(nodeName: string, vmId: string): readonly Attachment[] {
    return this.#store.byIndex('vm', vmKey(nodeName, vmId));
  }

  /** Those in the grace of a previous endpoint. */
  inGrace(): readonly Attachment[] {
    return this.#store.byIndex('grace', 'grace');
  }

  /** About how many attachments name this network. */
  countOf(network: string): number {
    return this.#store.countByIndex('network', network);
  }

  /** Networks that have an attachment for that VM, in whatever state, or one on its way. */
  holdersOf(nodeName: string, vmId: string): Holder[] {
    const key = vmKey(nodeName, vmId);
    const cached = this.#store.byIndex('vm', key).flatMap(holdersIn);
    return [...cached, ...this.#entriesOf(this.#byVm.get(key)).flatMap(({ holders }) => holders)];
  }

  /** Those that have one for a VM of that uuid on any other host: it is on its way from there, or to there. */
  holdersElsewhere(uuid: string, nodeName: string): Holder[] {
    const cached = this.#store.byIndex('uuid', uuid).filter(({ spec }) => spec.nodeName !== nodeName);
    const entries = this.#entriesOf(this.#byUuid.get(uuid)).filter(({ vm }) => vm.nodeName !== nodeName);
    return [...cached.flatMap(holdersIn), ...entries.flatMap(({ holders }) => holders)];
  }

  /** Whether any network but this one has an attachment on a card, or one on its way. */
  isTaken(card: Card, network: string): boolean {
    const key = cardKey(card);
    const others = (item: Attachment) => !networksOf(item).includes(network);
    if (this.#store.byIndex('card', key).some(others)) return true;
    return [...(this.#byCard.get(key) ?? [])].some(
      (name) => this.#entries.get(name)?.networks.includes(network) === false,
    );
  }

  /** Whether a create of this network may be under way that nobody has seen yet. */
  inDoubt(network: string): boolean {
    return [...(this.#byNetwork.get(network) ?? [])].some((key) => {
      const entry = this.#entries.get(key);
      return entry !== undefined && entry.object === null && this.#store.get(key) === undefined;
    });
  }

  /**
   * Before an attachment is created. Looks and claims in one turn; false if the card belongs to another network after
   * all, or if the very same create is under way.
   */
  claim(attachment: Attachment): boolean {
    const [network = ''] = networksOf(attachment);
    const key = keyOf(attachment);
    if (this.isTaken(cardOf(attachment), network)) return false;
    const before = this.#entries.get(key);
    if (this.#store.get(key) !== undefined || before?.state === 'claimed') return false;
    const doubt = before?.state === 'doubt' ? before : null;
    this.#put({ ...this.#place(attachment), state: 'claimed', object: null, doubt });
    return true;
  }

  /** The server answered a create with what it stored. */
  created(attachment: Attachment): void {
    this.#put({ ...this.#place(attachment), state: 'written', object: attachment });
    this.#settle(keyOf(attachment));
  }

  /** The server answered a change with what it stored. The cache may have shown its end before the answer came. */
  changed(attachment: Attachment): void {
    const key = keyOf(attachment);
    const known = this.#entries.get(key)?.object ?? this.#store.get(key);
    if (known?.metadata.uid === attachment.metadata.uid) this.created(attachment);
  }

  /** The server took note of a delete. */
  deleted(attachment: Attachment): void {
    const deletionTimestamp = this.#clock.now().toISOString();
    this.changed({ ...attachment, metadata: { ...attachment.metadata, deletionTimestamp } });
  }

  failed(attachment: Attachment, after: AfterFailure): void {
    const key = keyOf(attachment);
    const claim = this.#entries.get(key);
    const doubt = claim?.state === 'claimed' ? claim.doubt : null;
    if (after !== 'not made') this.#doubt(attachment, after, claim, doubt);
    // The server said no to this try; what became of an earlier one nobody knows any better.
    else if (doubt !== null) this.#put(doubt);
    // Whoever failed is told by its error, and backs off; others may wait for the card.
    else this.#free(key, networksOf(attachment));
  }

  /** When it can be told what became of a create of this network that is in doubt, ms from now; null: there is none. */
  doubtEndsInMs(network: string): number | null {
    const nowMs = this.#clock.monotonicMs();
    const due = this.#entriesOf(this.#byNetwork.get(network)).flatMap((entry) => {
      if (entry.state !== 'doubt') return [];
      return [entry.sinceMs + CACHE_IS_LATE_MS, entry.overMs].filter((dueMs) => dueMs > nowMs);
    });
    return due.length === 0 ? null : Math.min(...due) - nowMs;
  }

  /** Whether an object of the cache is just what this process wrote last. Asked before `observed`. */
  isOwn(attachment: Attachment): boolean {
    const own = this.#entries.get(keyOf(attachment))?.object?.metadata;
    return (
      own?.deletionTimestamp === undefined && own?.resourceVersion === attachment.metadata.resourceVersion
    );
  }

  /** To be called for each event of the cache, after the store has it. */
  observed(type: 'added' | 'updated' | 'deleted', attachment: Attachment): void {
    const key = keyOf(attachment);
    if (type !== 'deleted') this.#settle(key);
    else if (this.#entries.get(key)?.object?.metadata.uid === attachment.metadata.uid) this.#drop(key);
    this.#onHeld(vmOf(attachment));
  }

  /** Writes that the cache has not shown yet. */
  get unsettled(): number {
    return this.#entries.size;
  }

  /** Networks with writes that the cache should have shown by now. */
  late(): string[] {
    const before = this.#clock.monotonicMs() - CACHE_IS_LATE_MS;
    const late = [...this.#entries.values()].filter(({ sinceMs }) => sinceMs <= before);
    return [...new Set(late.flatMap(({ networks }) => networks))];
  }

  /** Whether this network has writes that the cache should have shown by now. */
  isLate(network: string): boolean {
    const before = this.#clock.monotonicMs() - CACHE_IS_LATE_MS;
    const keys = [...(this.#byNetwork.get(network) ?? [])];
    return keys.some((key) => (this.#entries.get(key)?.sinceMs ?? Infinity) <= before);
  }

  /** Asks the server what became of this network's writes that the cache does not show. */
  async settle(network: string, client: KubeClient, signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    for (const key of [...(this.#byNetwork.get(network) ?? [])]) {
      this.#settle(key);
      const entry = this.#entries.get(key);
      if (entry === undefined || entry.state === 'claimed' || entry.sinceMs > nowMs - CACHE_IS_LATE_MS)
        continue;
      try {
        const found = await client.get<Attachment>(ATTACHMENTS, refOf(key), signal);
        // Something else may have happened while we asked.
        if (this.#entries.get(key) === entry)
          this.#put({ ...this.#place(found), state: 'written', object: found });
      } catch (error) {
        if (!isNotFound(error)) throw error;
        const isOver = entry.object !== null || entry.overMs <= nowMs;
        if (isOver && this.#entries.get(key) === entry) this.#free(key);
      }
    }
  }

  #doubt(attachment: Attachment, after: AfterFailure, claim: Entry | undefined, earlier: Doubt | null): void {
    const place = this.#place(attachment);
    const { sinceMs } = claim?.state === 'claimed' ? claim : place;
    const answeredMs = place.sinceMs + CACHE_IS_LATE_MS;
    const overMs = Math.max(
      after === 'answered' ? answeredMs : sinceMs + REQUEST_IS_OVER_MS,
      earlier?.overMs ?? 0,
    );
    this.#put({ ...place, state: 'doubt', object: null, sinceMs, overMs });
  }

  #merged(cached: readonly Attachment[], keys: ReadonlySet<string> | undefined): Attachment[] {
    if (keys === undefined) return [...cached];
    const found = new Map(cached.map((item) => [keyOf(item), item]));
    for (const key of [...keys]) {
      this.#settle(key);
      const object = this.#entries.get(key)?.object;
      if (object) found.set(key, object);
    }
    return [...found.values()];
  }

  /** Forgets what the cache shows by now, or has overtaken. */
  #settle(key: string): void {
    const entry = this.#entries.get(key);
    const cached = this.#store.get(key);
    if (entry === undefined || cached === undefined) return;
    if (entry.object === null) {
      if (cardKey(cardOf(cached)) === entry.card) this.#drop(key);
      return;
    }
    const own = entry.object.metadata;
    const sameObject = own.uid === cached.metadata.uid;
    // A delete answers with no version: what shows it is the mark itself.
    const isMissed = own.deletionTimestamp !== undefined && cached.metadata.deletionTimestamp === undefined;
    if (!sameObject || !(isMissed || isNewer(own, cached.metadata))) this.#drop(key);
  }

  #place(attachment: Attachment): Place {
    return {
      key: keyOf(attachment),
      card: cardKey(cardOf(attachment)),
      vm: vmOf(attachment),
      networks: networksOf(attachment),
      holders: holdersIn(attachment),
      sinceMs: this.#clock.monotonicMs(),
    };
  }

  #put(entry: Entry): void {
    const before = this.#take(entry.key);
    this.#entries.set(entry.key, entry);
    add(this.#byCard, entry.card, entry.key);
    add(this.#byVm, vmKey(entry.vm.nodeName, entry.vm.vmId), entry.key);
    if (entry.vm.uuid !== undefined) add(this.#byUuid, entry.vm.uuid, entry.key);
    for (const network of entry.networks) add(this.#byNetwork, network, entry.key);
    // Of another VM only if a hand had made what stands under that name.
    if (before !== undefined && before.card !== entry.card) this.#onHeld(before.vm);
    this.#onHeld(entry.vm);
  }

  #free(key: string, by: readonly string[] = []): void {
    const vm = this.#entries.get(key)?.vm;
    this.#drop(key);
    if (vm !== undefined) this.#onFree(vm, by);
  }

  #drop(key: string): void {
    const entry = this.#take(key);
    if (entry !== undefined) this.#onHeld(entry.vm);
  }

  /** Takes an entry out, and tells nobody. */
  #take(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    remove(this.#byCard, entry.card, key);
    remove(this.#byVm, vmKey(entry.vm.nodeName, entry.vm.vmId), key);
    if (entry.vm.uuid !== undefined) remove(this.#byUuid, entry.vm.uuid, key);
    for (const network of entry.networks) remove(this.#byNetwork, network, key);
    return entry;
  }

  #entriesOf(keys: ReadonlySet<string> | undefined): Entry[] {
    return [...(keys ?? [])].flatMap((key) => this.#entries.get(key) ?? []);
  }
}

function add(index: Map<string, Set<string>>, value: string, key: string): void {
  const keys = index.get(value);
  if (keys === undefined) index.set(value, new Set([key]));
  else keys.add(key);
}

function remove(index: Map<string, Set<string>>, value: string, key: string): void {
  const keys = index.get(value);
  keys?.delete(key);
  if (keys?.size === 0) index.delete(value);
}
