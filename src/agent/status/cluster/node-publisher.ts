import { API_VERSION } from '../../../api/v1alpha1/group-version.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../../kube/api-error.ts';
import type { KubeClient } from '../../../kube/client.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import { FIELD_MANAGER, HOST_NODES } from '../../source/cluster/kinds.ts';
import type { NodeObject } from '../../source/cluster/kinds.ts';
import { nodeStatus } from './node-report.ts';
import type { NodeReport } from './node-report.ts';
import { WriteQueue } from './write-queue.ts';
import type { PlannedWrite } from './write-queue.ts';

export interface NodePublisherPorts {
  readonly client: KubeClient;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random?: (() => number) | undefined;
}

/**
 * Agents may not watch their VMNetworkNode. That somebody deleted it, which declares the host gone, is found out this often, or by
 * the next write; an agent that lives makes it again.
 */
const LOOK_MS = 300_000;

/** Keeps this host's VMNetworkNode as it is offered; makes it where there is none. */
export class NodePublisher {
  readonly #ports: NodePublisherPorts;
  readonly #queue: WriteQueue;
  #report: NodeReport | null = null;
  /** As the server last showed it to us, and when. */
  #known: { readonly object: NodeObject; readonly atMs: number } | null = null;

  constructor(ports: NodePublisherPorts) {
    this.#ports = ports;
    const { clock, log, random } = ports;
    this.#queue = new WriteQueue({
      name: 'node-status',
      plan: (_key, signal) => this.#plan(signal),
      clock,
      log,
      random,
    });
  }

  /** This host's, as the server last showed it to us; null: it has not. */
  get object(): NodeObject | null {
    return this.#known?.object ?? null;
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#queue.run(signal);
  }

  offer(report: NodeReport): void {
    this.#report = report;
    this.#queue.add(this.#ports.nodeName);
  }

  async #plan(signal: AbortSignal): Promise<PlannedWrite> {
    const { clock } = this.#ports;
    const report = this.#report;
    if (report === null) return { write: null, againMs: null };
    const known = this.#known;
    const isOld = known === null || clock.monotonicMs() - known.atMs >= LOOK_MS;
    const base = isOld ? await this.#look(signal) : known.object;
    const status = nodeStatus(report, base.status, base.metadata.generation ?? 1, clock.now());
    const againMs = LOOK_MS;
    if (status === null) return { write: null, againMs };
    return { write: (abort) => this.#write({ ...base, status }, abort), againMs };
  }

  /** As it is on the server, made if it is not there. */
  async #look(signal: AbortSignal): Promise<NodeObject> {
    const { client, nodeName: name } = this.#ports;
    try {
      return this.#note(await client.get<NodeObject>(HOST_NODES, { name }, signal));
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    const fresh: NodeObject = {
      apiVersion: API_VERSION,
      kind: HOST_NODES.kind,
      metadata: { name },
      spec: {},
    };
    try {
      return this.#note(await client.create(HOST_NODES, fresh, { fieldManager: FIELD_MANAGER, signal }));
    } catch (error) {
      // The answer to an earlier create was lost.
      if (isAlreadyExists(error))
        return this.#note(await client.get<NodeObject>(HOST_NODES, { name }, signal));
      throw error;
    }
  }

  async #write(object: NodeObject, signal: AbortSignal): Promise<void> {
    try {
      const options = { fieldManager: FIELD_MANAGER, subresource: 'status', signal } as const;
      this.#note(await this.#ports.client.update(HOST_NODES, object, options));
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) this.#known = null;
      throw error;
    }
  }

  #note(object: NodeObject): NodeObject {
    this.#known = { object, atMs: this.#ports.clock.monotonicMs() };
    return object;
  }
}
