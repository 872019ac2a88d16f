import { pino } from 'pino';
import { assemble } from '../../../../src/controller/assembly.ts';
import type { Assembly } from '../../../../src/controller/assembly.ts';
import {
  ATTACHMENTS,
  CLASSES,
  CLUSTER_NODES,
  HOST_NODES,
  LEASES,
  NETWORKS,
  SERVICE_CIDRS,
} from '../../../../src/controller/kinds.ts';
import { ATTACHMENT_INDEXERS } from '../../../../src/controller/vmnetwork/attachment-names.ts';
import type { Holder } from '../../../../src/controller/vmnetwork/attachment-names.ts';
import { ownerOf } from '../../../../src/controller/vmnetwork/binding.ts';
import type { Claimant } from '../../../../src/controller/vmnetwork/binding.ts';
import { NETWORK_INDEXERS } from '../../../../src/controller/vmnetwork/fleet.ts';
import { keyOf } from '../../../../src/kube/resource.ts';
import type { Clock } from '../../../../src/lib/clock.ts';
import { LaggingCache } from './lagging-cache.ts';
import { ModelClient } from './model-api.ts';
import type { ModelApi } from './model-api.ts';

const RETRY_MS = 5;
const LOOK_MS = 30_000;

/** One run of the controller over the model: queues whose keys are worked on when somebody says so. */
export class ModelProcess {
  readonly client: ModelClient;
  readonly caches;
  readonly failures: unknown[] = [];
  readonly events: string[] = [];
  readonly #clock: Clock;
  readonly #assembly: Assembly;
  readonly #end = new AbortController();
  readonly #ready = new Set<string>();
  readonly #busy = new Set<string>();
  readonly #later = new Map<string, number>();
  #alive = true;

  constructor(api: ModelApi, clock: Clock) {
    this.#clock = clock;
    this.client = new ModelClient(api);
    this.caches = {
      networks: new LaggingCache(api, NETWORKS, NETWORK_INDEXERS),
      classes: new LaggingCache(api, CLASSES),
      attachments: new LaggingCache(api, ATTACHMENTS, ATTACHMENT_INDEXERS),
      nodes: new LaggingCache(api, HOST_NODES),
      leases: new LaggingCache(api, LEASES),
      clusterNodes: new LaggingCache(api, CLUSTER_NODES),
      serviceCidrs: new LaggingCache(api, SERVICE_CIDRS),
    } as unknown as Record<string, LaggingCache<never>>;
    this.#assembly = assemble(this.caches as never, {
      client: this.client,
      namespace: 'vmnetwork-system',
      networkQueue: {
        enqueue: (key) => this.enqueue(`network ${key}`),
        enqueueAfter: (key, delayMs) => this.#after(`network ${key}`, delayMs),
      },
      enqueueClass: (key, delayMs = 0) =>
        delayMs > 0 ? this.#after(`class ${key}`, delayMs) : this.enqueue(`class ${key}`),
      recorder: {
        event: (_regarding, type, reason, _action, note) => this.events.push(`${type} ${reason}: ${note}`),
        flush: async () => undefined,
      },
      clock,
      log: pino({ level: 'silent' }),
      signal: this.#end.signal,
    });
  }

  /** VMs whose owner is remembered and is not the one that all networks, asked anew, come to, without a pass to find out. */
  get misremembered(): string[] {
    const { owners, parts } = this.#assembly.fleet;
    const { networks, nodes, attachments, vms } = parts;
    const reported = nodes.list().flatMap(({ metadata }) => vms.onNode(metadata.name));
    return reported.flatMap((one) => {
      const known = owners.known(one);
      if (known === undefined) return [];
      const { nodeName, vm } = one;
      const here = attachments.holdersOf(nodeName, vm.id);
      const elsewhere = vm.uuid === undefined ? [] : attachments.holdersElsewhere(vm.uuid, nodeName);
      const claimants = networks
        .list()
        .filter((network) => owners.selects(network, one))
        .map((network): Claimant => {
          const isIn = (holders: readonly Holder[]) =>
            holders.some(({ uid }) => uid === network.metadata.uid);
          return { network, holds: isIn(here) ? 'here' : isIn(elsewhere) ? 'elsewhere' : 'nothing' };
        });
      const owner = ownerOf(claimants);
      const fresh = owner === null ? null : keyOf(owner);
      const isDue = [known, fresh].some((key) => key !== null && owners.unreviewed.has(key));
      return fresh === known || isDue
        ? []
        : [`${vm.name} on ${nodeName}: ${String(known)}, not ${String(fresh)}`];
    });
  }

  healthOf(nodeName: string): string {
    return this.#assembly.fleet.hostState(nodeName).health;
  }

  get isIdle(): boolean {
    return this.#ready.size === 0 && this.#busy.size === 0;
  }

  /** When a key is due, or the next look for what the caches are late with. */
  get nextDueMs(): number | null {
    const look = this.#assembly.attachments.unsettled > 0 ? [this.#clock.monotonicMs() + LOOK_MS] : [];
    const due = [...this.#later.values(), ...look];
    return due.length === 0 ? null : Math.min(...due);
  }

  enqueue(key: string): void {
    this.#ready.add(key);
  }

  /** Keys whose time has come, and networks whose writes the cache is late with. */
  tick(): void {
    for (const [key, dueMs] of [...this.#later]) {
      if (dueMs > this.#clock.monotonicMs()) continue;
      this.#later.delete(key);
      this.enqueue(key);
    }
    for (const network of this.#assembly.attachments.late()) this.enqueue(`network ${network}`);
  }

  /** A worker takes the next key (the `pick`th of those that wait) up to its first request. */
  begin(pick: number): boolean {
    const waiting = [...this.#ready].filter((key) => !this.#busy.has(key));
    const key = waiting[pick % Math.max(waiting.length, 1)];
    if (key === undefined) return false;
    this.#ready.delete(key);
    this.#busy.add(key);
    void this.#work(key);
    return true;
  }

  catchUp(cache: string, most: number): void {
    this.caches[cache]?.catchUp(most);
  }

  /** Its requests that were not sent are never sent. */
  kill(): void {
    this.#alive = false;
    this.#end.abort();
    this.#assembly.close();
    for (const request of [...this.client.pending]) request.abandon();
  }

  async #work(key: string): Promise<void> {
    const [kind = '', name = ''] = key.split(' ');
    try {
      const outcome =
        kind === 'network'
          ? await this.#assembly.reconcileNetwork(name, this.#end.signal)
          : await this.#assembly.reconcileClass(name, this.#end.signal);
      if (outcome?.requeueAfterMs !== undefined) this.#after(key, outcome.requeueAfterMs);
    } catch (error) {
      if (!this.#alive) return;
      this.failures.push(error);
      this.#after(key, RETRY_MS);
    } finally {
      this.#busy.delete(key);
    }
  }

  #after(key: string, delayMs: number): void {
    const dueMs = this.#clock.monotonicMs() + delayMs;
    this.#later.set(key, Math.min(this.#later.get(key) ?? Infinity, dueMs));
  }
}
