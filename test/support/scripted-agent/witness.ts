import { setTimeout as pause } from 'node:timers/promises';
import type { ApiClient, WatchedEvent } from './api-client.ts';
import { ATTACHMENTS } from './kinds.ts';
import { cardOf, keyOf, type Attachment } from './objects.ts';

/**
 * Watches every attachment of the cluster in the order that they are written, all through a test, and notes each moment at
 * which one network card had two. One whose deletion waits for its finalizer still counts: its host may still let its
 * endpoint through.
 */
export class Witness {
  /** Each moment at which a card had two attachments. */
  readonly doubles: string[] = [];
  /** Every write that was seen, `ADDED ns/name rv`. */
  readonly seen: string[] = [];
  readonly #client: ApiClient;
  readonly #present = new Map<string, Attachment>();
  readonly #life = new AbortController();
  #work: Promise<void> = Promise.resolve();

  private constructor(client: ApiClient) {
    this.#client = client;
  }

  /** Watches when this resolves. */
  static async start(client: ApiClient): Promise<Witness> {
    const witness = new Witness(client);
    const version = await witness.#list();
    witness.#work = witness.#follow(version);
    return witness;
  }

  /** As they are now, in the order in which they were first seen. */
  get attachments(): readonly Attachment[] {
    return [...this.#present.values()];
  }

  of(namespace: string, network: string): Attachment[] {
    return this.attachments.filter(
      ({ metadata, spec }) => metadata.namespace === namespace && spec.policy.network === network,
    );
  }

  async close(): Promise<void> {
    this.#life.abort();
    await this.#work;
  }

  async #list(): Promise<string> {
    const { items, metadata } = await this.#client.list<Attachment>(ATTACHMENTS);
    this.#present.clear();
    for (const attachment of items) this.#note({ type: 'ADDED', object: attachment });
    return metadata.resourceVersion;
  }

  /** Across restarts of the API server: it is the test that may not miss a moment, so it goes on from where it was. */
  async #follow(version: string): Promise<void> {
    const { signal } = this.#life;
    let resourceVersion: string | null = version;
    while (!signal.aborted) {
      try {
        resourceVersion ??= await this.#list();
        const since: Record<string, string> = { resourceVersion };
        for await (const event of this.#client.watch<Attachment>(ATTACHMENTS, since, signal)) {
          resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
          if (event.type !== 'BOOKMARK') this.#note(event);
        }
      } catch (error) {
        // Too old, or of an etcd that is no more: begin anew.
        if (error instanceof Error && /\b(410|400|500)\b/.test(error.message)) resourceVersion = null;
        await pause(50, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  #note({ type, object }: WatchedEvent<Attachment>): void {
    const key = keyOf(object);
    this.seen.push(`${type} ${key} ${object.metadata.resourceVersion ?? ''}`);
    if (type === 'DELETED') {
      this.#present.delete(key);
      return;
    }
    this.#present.set(key, object);
    const card = cardOf(object);
    const others = this.attachments.filter((other) => keyOf(other) !== key && cardOf(other) === card);
    for (const other of others) this.doubles.push(`${card}: ${keyOf(object)} beside ${keyOf(other)}`);
  }
}
