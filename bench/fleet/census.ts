import type { ApiClient } from '../../test/support/scripted-agent/api-client.ts';
import { ATTACHMENTS, NETWORKS, type Kind } from '../../test/support/scripted-agent/kinds.ts';
import type { AnyObject, Attachment, Network } from '../../test/support/scripted-agent/objects.ts';
import { within } from './deadline.ts';
import { Tally } from './tally.ts';

interface Waiter {
  holds: () => boolean;
  resolve: () => void;
}

/** Watches all networks and attachments from the first on, so that the moment of each change is known and nothing is polled. */
export class Census {
  readonly tally = new Tally();
  readonly #life = new AbortController();
  readonly #waiters = new Set<Waiter>();
  /** Aborts with the reason why a watch cannot go on. */
  readonly #broken = new AbortController();
  #work: Promise<unknown> = Promise.resolve();

  /** Watches when this resolves. To be started while there is nothing yet. */
  static async start(client: ApiClient): Promise<Census> {
    const census = new Census();
    const networks = await client.list(NETWORKS, {}, { limit: '1' });
    const attachments = await client.list(ATTACHMENTS, {}, { limit: '1' });
    if (networks.items.length + attachments.items.length > 0) throw new Error('the fleet is not new');
    const { tally } = census;
    const [ofNetworks, ofAttachments] = [networks, attachments].map((list) => list.metadata.resourceVersion);
    census.#work = Promise.all([
      census.#follow(client, NETWORKS, ofNetworks!, (_type, object) => tally.noteNetwork(object as Network)),
      census.#follow(client, ATTACHMENTS, ofAttachments!, (type, object) =>
        tally.noteAttachment(type, object as Attachment),
      ),
    ]);
    return census;
  }

  /** Resolves with the event that makes it hold. `holds` is asked at each event, so it has to be cheap. */
  async until(holds: () => boolean, signal: AbortSignal): Promise<void> {
    if (holds()) return;
    const either = AbortSignal.any([signal, this.#broken.signal]);
    let waiter: Waiter | null = null;
    const held = new Promise<void>((resolve) => {
      waiter = { holds, resolve };
      this.#waiters.add(waiter);
    });
    try {
      await within(either, held);
    } finally {
      if (waiter !== null) this.#waiters.delete(waiter);
    }
  }

  async close(): Promise<void> {
    this.#life.abort();
    await this.#work;
  }

  /** A watch ends now and then (the server sees to that) and goes on where it was; a gap would be an error. */
  async #follow(
    client: ApiClient,
    kind: Kind,
    from: string,
    note: (type: string, object: AnyObject) => void,
  ): Promise<void> {
    let resourceVersion = from;
    const { signal } = this.#life;
    try {
      while (!signal.aborted) {
        for await (const { type, object } of client.watch(kind, { resourceVersion }, signal)) {
          resourceVersion = object.metadata.resourceVersion ?? resourceVersion;
          if (type !== 'BOOKMARK') this.#noted(() => note(type, object));
        }
      }
    } catch (error) {
      if (!signal.aborted) this.#broken.abort(error);
    }
  }

  #noted(note: () => void): void {
    note();
    for (const { holds, resolve } of this.#waiters) if (holds()) resolve();
  }
}
