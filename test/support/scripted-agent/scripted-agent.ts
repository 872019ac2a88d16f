import { setTimeout as pause } from 'node:timers/promises';
import type { Access } from './access.ts';
import { answerTo } from './answer.ts';
import { ApiClient } from './api-client.ts';
import { ApiFailure } from './api-failure.ts';
import { GOOD, type Behaviour } from './behaviour.ts';
import { beat } from './heartbeat.ts';
import { ATTACHMENTS, VM_NODES } from './kinds.ts';
import {
  keyOf,
  type AnyObject,
  type Attachment,
  type AttachmentStatus,
  type Card,
  type Machine,
} from './objects.ts';
import { reportNode } from './reported-node.ts';
import { SealingKey } from './sealing-key.ts';
import { Serial } from './serial.ts';

export interface ScriptedAgentOptions {
  /** As whom, usually with a token bound to the Node. */
  readonly access: Access;
  readonly nodeName: string;
  /** What its Lease promises. Default 40. */
  readonly leaseSeconds?: number;
  readonly machines?: readonly Machine[];
  readonly behaviour?: Partial<Behaviour>;
}

/** Between two tries when the API server is away. */
const RETRY_MS = 100;

/**
 * An agent as the API server sees it, without a host below: it reports what VMs it is told to have, renews its Lease,
 * watches the attachments of its node and answers them. All through its own identity, so that RBAC and admission apply.
 */
export class ScriptedAgent {
  readonly nodeName: string;
  /** The attachments of its node as it last saw them, by namespace/name. */
  readonly attachments = new Map<string, Attachment>();
  /** What went wrong and was not the API server being away: refused writes, above all. */
  readonly failures: string[] = [];
  readonly #client: ApiClient;
  readonly #leaseSeconds: number;
  readonly #writes = new Serial();
  #key = SealingKey.generate();
  #machines: readonly Machine[];
  #behaviour: Behaviour;
  #life: AbortController | null = null;
  #work: Promise<unknown> = Promise.resolve();
  #instance = 0;

  constructor(options: ScriptedAgentOptions) {
    this.nodeName = options.nodeName;
    this.#client = new ApiClient(options.access, `scripted-agent/${options.nodeName}`);
    this.#leaseSeconds = options.leaseSeconds ?? 40;
    this.#machines = options.machines ?? [];
    this.#behaviour = { ...GOOD, ...options.behaviour };
  }

  get sealingKey(): SealingKey {
    return this.#key;
  }

  /** Starts, or comes back after {@link die}; resolves when the node is reported and the first heartbeat written. */
  async start(): Promise<void> {
    const life = new AbortController();
    this.#life = life;
    this.#instance += 1;
    if (this.#behaviour.heartbeats) await this.#beat();
    await this.#report();
    this.#work = Promise.all([this.#heartbeats(life.signal), this.#follow(life.signal)]);
  }

  /** Stops without a word, as by SIGKILL. What it said stays said. */
  async die(): Promise<void> {
    this.#life?.abort();
    this.#life = null;
    await this.#work;
    await this.#writes.drained();
  }

  /** Ends for good. */
  async close(): Promise<void> {
    await this.die();
    this.#client.close();
  }

  /** Replaces the VMs of the host. */
  async has(machines: readonly Machine[]): Promise<void> {
    this.#machines = machines;
    await this.#report();
    this.#answerAll();
  }

  /** From now on, also for the attachments it has answered before. */
  behave(behaviour: Partial<Behaviour>): void {
    this.#behaviour = { ...this.#behaviour, ...behaviour };
    this.#answerAll();
  }

  /** A new sealing key, as after the loss of the host's state. */
  async changeKey(): Promise<SealingKey> {
    this.#key = SealingKey.generate();
    await this.#report();
    return this.#key;
  }

  /** Deletes its own VMNetworkNode, or fails as the API server says. */
  async deleteNode(): Promise<void> {
    await this.#client.delete(VM_NODES, { name: this.nodeName });
  }

  attachmentsOf(network: string): Attachment[] {
    return [...this.attachments.values()].filter(({ spec }) => spec.policy.network === network);
  }

  async #report(): Promise<void> {
    await reportNode(this.#client, this.nodeName, this.#key.publicKey, this.#machines);
  }

  #beat(): Promise<void> {
    const instance = `${this.nodeName}-${String(this.#instance)}`;
    return beat(this.#client, this.nodeName, instance, this.#leaseSeconds);
  }

  async #heartbeats(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await resting((this.#leaseSeconds * 1000) / 4, signal);
      if (signal.aborted || !this.#behaviour.heartbeats) continue;
      await this.#beat().catch((error: unknown) => this.#note(error));
    }
  }

  /** List and watch, for as long as it lives. */
  async #follow(signal: AbortSignal): Promise<void> {
    const query = { fieldSelector: `spec.nodeName=${this.nodeName}` };
    while (!signal.aborted) {
      try {
        const list = await this.#client.list<Attachment>(ATTACHMENTS, {}, query);
        this.attachments.clear();
        for (const attachment of list.items) this.#saw(attachment);
        const since = { ...query, resourceVersion: list.metadata.resourceVersion };
        for await (const { type, object } of this.#client.watch<Attachment>(ATTACHMENTS, since, signal)) {
          if (type === 'DELETED') this.attachments.delete(keyOf(object));
          else if (type !== 'BOOKMARK') this.#saw(object);
        }
      } catch (error) {
        this.#note(error);
      }
      await resting(RETRY_MS, signal);
    }
  }

  #saw(attachment: Attachment): void {
    this.attachments.set(keyOf(attachment), attachment);
    this.#answer(attachment);
  }

  #answerAll(): void {
    for (const attachment of this.attachments.values()) this.#answer(attachment);
  }

  #answer({ metadata: { name, namespace = '' } }: Attachment): void {
    const key = `${namespace}/${name}`;
    const signal = this.#life?.signal;
    this.#writes.add(key, async () => {
      while (signal?.aborted === false && this.#behaviour.answers) {
        if (this.#behaviour.delayMs > 0) await resting(this.#behaviour.delayMs, signal);
        const present = this.attachments.get(key);
        if (present === undefined || signal.aborted) return;
        const status = answerTo(present, this.#cardOf(present), this.#behaviour, new Date());
        if (sameAnswer(present.status, status)) return;
        try {
          const place = { namespace, name, subresource: 'status' } as const;
          // At the version that was seen: whoever wrote since brings another event, and another answer.
          await this.#client.replace(ATTACHMENTS, place, { ...present, ...IDENTITY, status } as AnyObject);
          return;
        } catch (error) {
          if (error instanceof ApiFailure && [404, 409].includes(error.status)) return;
          this.#note(error);
          await resting(RETRY_MS, signal);
        }
      }
    });
  }

  #cardOf({ spec }: Attachment): Card | undefined {
    const machine = this.#machines.find(({ id }) => id === spec.vm.id);
    return machine?.interfaces.find(({ mac }) => mac === spec.interface.mac);
  }

  #note(error: unknown): void {
    const refused = error instanceof ApiFailure && [400, 403, 422].includes(error.status);
    if (refused) this.failures.push(error.message);
  }
}

const IDENTITY = { apiVersion: 'vmnetwork.io/v1alpha1', kind: 'VMNetworkAttachment' };

function sameAnswer(present: AttachmentStatus | undefined, next: AttachmentStatus): boolean {
  return present !== undefined && canonical(present) === canonical(next);
}

/** The API server gives lists of conditions and keys of objects back in an order of its own. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (Array.isArray(item))
      return [...(item as unknown[])].sort((a, b) => (canonical(a) < canonical(b) ? -1 : 1));
    if (typeof item !== 'object' || item === null) return item;
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** Ends early, and without an error, when the signal comes. */
async function resting(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal }).catch(() => undefined);
}
