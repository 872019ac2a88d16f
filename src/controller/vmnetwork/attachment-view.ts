import { ATTACHMENTS } from '../kinds.ts';
import type { Attachment } from '../kinds.ts';
import { isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { keyOf, refOf } from '../../kube/resource.ts';
import type { Store } from '../../kube/store/store.ts';
import type { Clock } from '../../lib/clock.ts';
import { cardKey, cardOf } from './card.ts';
import type { Card } from './card.ts';
import { isNewer } from './resource-age.ts';

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
 *             still only one), and it is settled by the cache, or by asking the server once no request can still be
 *             under way
 *
 * What another controller wrote is seen because a new leader lists everything after it has the Lease, and because the
 * old one may not send any more (fence()).
 */

/** Indexes that the store must have. */
export const ATTACHMENT_INDEXERS = {
  /** `namespace/name` of the network that it names or that owns it. */
  network: (attachment: Attachment) => networksOf(attachment),
  card: (attachment: Attachment) => [cardKey(cardOf(attachment))],
  vm: ({ spec }: Attachment) => [vmKey(spec.nodeName, spec.vm.id)],
  node: ({ spec }: Attachment) => [spec.nodeName],
  /** Those in the grace of a previous endpoint. */
  grace: ({ spec }: Attachment) => (spec.policy.previousEndpoint === undefined ? [] : ['grace']),
};

/** After this long a request that was sent has been answered or dropped by the server (its own limit is 60 s). */
const REQUEST_IS_OVER_MS = 75_000;
/** What the cache has not shown after this long is asked for. */
const CACHE_IS_LATE_MS = 30_000;

/** @param by networks that know already */
type FreeHandler = (card: Pick<Card, 'nodeName' | 'vmId'>, by: readonly string[]) => void;

type Entry = {
  readonly key: string;
  readonly card: string;
  readonly networks: readonly string[];
  readonly sinceMs: number;
} & (
  | { readonly state: 'claimed' | 'doubt'; readonly object: null }
  | { readonly state: 'written'; readonly object: Attachment }
);

export class AttachmentView {
  readonly #store: Store<Attachment>;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #byCard = new Map<string, Set<string>>();
  readonly #byNetwork = new Map<string, Set<string>>();
  #onFree: FreeHandler = () => undefined;

  constructor(store: Store<Attachment>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** A card that looked taken is not, and no event of the cache will say so. */
  onFree(handler: FreeHandler): void {
    this.#onFree = handler;
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
    return this.#store.byIndex('network', network).length;
  }

  /** Whether a network has an attachment for that VM, or one on its way. */
  holds(network: string, nodeName: string, vmId: string): boolean {
    const own = (item: Attachment) => networksOf(item).includes(network);
    if (this.#store.byIndex('vm', vmKey(nodeName, vmId)).some(own)) return true;
    const prefix = `${vmKey(nodeName, vmId)}\n`;
    return [...(this.#byNetwork.get(network) ?? [])].some(
      (key) => this.#entries.get(key)?.card.startsWith(prefix) === true,
    );
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
    if (this.#store.get(key) !== undefined || this.#entries.get(key)?.state === 'claimed') return false;
    this.#put({ ...this.#place(attachment), state: 'claimed', object: null });
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

  /** The create failed. `certainly`: the server said no; otherwise nobody knows. */
  failed(attachment: Attachment, certainly: boolean): void {
    // Whoever failed is told by its error, and backs off; others may wait for the card.
    if (certainly) this.#free(keyOf(attachment), networksOf(attachment));
    else this.#put({ ...this.#place(attachment), state: 'doubt', object: null });
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
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    if (type !== 'deleted') return this.#settle(key);
    if (entry.object?.metadata.uid === attachment.metadata.uid) this.#drop(key);
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
        const isOver = entry.object !== null || entry.sinceMs <= nowMs - REQUEST_IS_OVER_MS;
        if (isOver && this.#entries.get(key) === entry) this.#free(key);
      }
    }
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

  #place(attachment: Attachment) {
    const key = keyOf(attachment);
    const card = cardKey(cardOf(attachment));
    return { key, card, networks: networksOf(attachment), sinceMs: this.#clock.monotonicMs() };
  }

  #put(entry: Entry): void {
    this.#drop(entry.key);
    this.#entries.set(entry.key, entry);
    add(this.#byCard, entry.card, entry.key);
    for (const network of entry.networks) add(this.#byNetwork, network, entry.key);
  }

  #free(key: string, by: readonly string[] = []): void {
    const [nodeName = '', vmId = ''] = this.#entries.get(key)?.card.split('\n') ?? [];
    this.#drop(key);
    this.#onFree({ nodeName, vmId }, by);
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    remove(this.#byCard, entry.card, key);
    for (const network of entry.networks) remove(this.#byNetwork, network, key);
  }
}

/** The network that an attachment names, and any other of its namespace that owns it; one, unless a hand changed it. */
export function networksOf({ metadata, spec }: Attachment): string[] {
  const owners = (metadata.ownerReferences ?? []).filter(
    ({ controller, kind }) => controller === true && kind === 'VMNetwork',
  );
  const names = new Set([spec.policy.network, ...owners.map(({ name }) => name)]);
  return [...names].map((name) => `${metadata.namespace ?? ''}/${name}`);
}

const vmKey = (nodeName: string, vmId: string): string => `${nodeName}\n${vmId}`;

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
