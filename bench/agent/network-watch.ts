import type { ApiClient } from '../../test/support/scripted-agent/api-client.ts';
import { NETWORKS } from '../../test/support/scripted-agent/kinds.ts';
import { conditionOf, type Network } from '../../test/support/scripted-agent/objects.ts';
import { within } from '../fleet/deadline.ts';

interface Waiter {
  readonly holds: (network: Network | null) => boolean;
  readonly name: string;
  readonly resolve: () => void;
}

/** Tells the moment at which the API server shows a VMNetwork as it is awaited: nothing is polled. */
export class NetworkWatch {
  readonly #known = new Map<string, Network>();
  readonly #life = new AbortController();
  /** Aborts with the reason why the watch cannot go on. */
  readonly #broken = new AbortController();
  #waiters: Waiter[] = [];
  #work: Promise<void> = Promise.resolve();

  /** Watches when this resolves. */
  static async start(client: ApiClient): Promise<NetworkWatch> {
    const watch = new NetworkWatch();
    const { items, metadata } = await client.list<Network>(NETWORKS);
    for (const network of items) watch.#known.set(network.metadata.name, network);
    watch.#work = watch.#follow(client, metadata.resourceVersion);
    return watch;
  }

  /** Null: it is gone. Names are unique here. */
  async until(name: string, signal: AbortSignal, holds: (network: Network | null) => boolean): Promise<void> {
    if (holds(this.#known.get(name) ?? null)) return;
    const held = new Promise<void>((resolve) => this.#waiters.push({ name, holds, resolve }));
    await within(AbortSignal.any([signal, this.#broken.signal]), held);
  }

  async close(): Promise<void> {
    this.#life.abort();
    await this.#work;
  }

  async #follow(client: ApiClient, from: string): Promise<void> {
    let resourceVersion = from;
    const { signal } = this.#life;
    try {
      while (!signal.aborted) {
        for await (const { type, object } of client.watch<Network>(NETWORKS, { resourceVersion }, signal)) {
          resourceVersion = object.metadata.resourceVersion ?? resourceVersion;
          if (type !== 'BOOKMARK') this.#note(type === 'DELETED' ? null : object, object.metadata.name);
        }
      }
    } catch (error) {
      if (!signal.aborted) this.#broken.abort(error);
    }
  }

  #note(network: Network | null, name: string): void {
    if (network === null) this.#known.delete(name);
    else this.#known.set(name, network);
    const ready = this.#waiters.filter((waiter) => waiter.name === name && waiter.holds(network));
    this.#waiters = this.#waiters.filter((waiter) => !ready.includes(waiter));
    for (const { resolve } of ready) resolve();
  }
}

/** Read back from the kernel, of the present generation of its spec. */
export function isEnforced(network: Network | null): boolean {
  if (network === null) return false;
  const condition = conditionOf(network, 'Enforced');
  return condition?.status === 'True' && condition.observedGeneration === network.metadata.generation;
}
