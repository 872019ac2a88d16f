import type { KubeClient } from '../../kube/client.ts';
import { resourceName } from '../../kube/resource.ts';
import type { KubeObject } from '../../kube/resource.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { DEFINITIONS, HOST_NODES, HOST_SINCE } from '../kinds.ts';
import type { Definition, HostNode } from '../kinds.ts';
import { within } from '../../lib/time-limit.ts';

/*
 * Theory of operation
 *
 * Whoever deletes a VMNetworkNode declares its host gone, and what that host would have to close is released without its
 * word. But VMNetworkNodes are missing too when their kind was deleted, and when it was applied again and their agents have
 * not written them anew. So a host is gone only if the API server says
 *
 * 1. that there is no VMNetworkNode of that name, and after that
 * 2. that their definition is in force, is not being deleted, and is older than the VMNetworkNode was.
 *
 * Then it stood under this very definition, and was deleted by itself. How old it was stands in the attachments of that host
 * (`HOST_SINCE`), whether or not somebody was there when it went. In all other cases, failures among them, the host is
 * missing and no more, and nothing is released. The times are the API server's, in whole seconds: the same is not older.
 *
 * A host that is missing for good and cannot be told from one that is not: make its VMNetworkNode, and delete it a moment later.
 */

export interface MissingHostsPorts {
  readonly client: Pick<KubeClient, 'get' | 'list'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** After a look that said nothing of a missing host the next one comes this much later. */
export const LOOK_AGAIN_MS = 10_000;
const PATIENCE_MS = 5_000;

/** Tells hosts that were declared gone from those whose VMNetworkNode is only missing. */
export class MissingHosts {
  readonly #ports: MissingHostsPorts;
  /** When the definition was made, as of the last look; Infinity if there is none in force, or nobody knows. */
  #definedMs = -Infinity;
  /** Until when that holds, monotonic. */
  #untilMs = -Infinity;

  constructor(ports: MissingHostsPorts) {
    this.#ports = ports;
  }

  /**
   * Whether a host was declared gone. Throws only if the signal aborts.
   *
   * @param attachments those of that host
   */
  async isGone(nodeName: string, attachments: readonly KubeObject[], signal: AbortSignal): Promise<boolean> {
    const { clock, log } = this.#ports;
    const knownMs = attachments.reduce((latest, one) => Math.max(latest, sinceMs(one)), -Infinity);
    if (clock.monotonicMs() < this.#untilMs && knownMs <= this.#definedMs) return false;
    try {
      const [isThere, definedMs] = await within(clock, PATIENCE_MS, signal, (limited) =>
        this.#look(nodeName, limited),
      );
      if (isThere) return false;
      this.#remember(definedMs);
      return knownMs > definedMs;
    } catch (err) {
      signal.throwIfAborted();
      this.#remember(Infinity);
      log.warn(
        { err, node: nodeName },
        'nobody can tell now whether a host that is missing was declared gone',
      );
      return false;
    }
  }

  /** Whether the VMNetworkNode is there after all; if not, since when its definition is in force. */
  async #look(nodeName: string, signal: AbortSignal): Promise<[isThere: boolean, definedMs: number]> {
    const { client } = this.#ports;
    // A list, not a get: a missing kind fails here, and is no missing object.
    const selection = { fieldSelector: `metadata.name=${nodeName}`, limit: 1 };
    const { items } = await client.list<HostNode>(HOST_NODES, selection, signal);
    if (items.length > 0) return [true, -Infinity];
    const name = resourceName(HOST_NODES);
    return [false, inForceSinceMs(await client.get<Definition>(DEFINITIONS, { name }, signal))];
  }

  #remember(definedMs: number): void {
    this.#definedMs = definedMs;
    this.#untilMs = this.#ports.clock.monotonicMs() + LOOK_AGAIN_MS;
  }
}

/** When the VMNetworkNode was made that the attachment tells of; -Infinity if it tells of none. */
function sinceMs({ metadata }: KubeObject): number {
  const ms = Date.parse(metadata.annotations?.[HOST_SINCE] ?? '');
  return Number.isNaN(ms) ? -Infinity : ms;
}

/** Infinity: it is not in force, or about to end. */
function inForceSinceMs({ metadata, status }: Definition): number {
  const isEstablished = status?.conditions?.some(
    (condition) => condition.type === 'Established' && condition.status === 'True',
  );
  const ms = Date.parse(metadata.creationTimestamp ?? '');
  return metadata.deletionTimestamp !== undefined || isEstablished !== true || Number.isNaN(ms)
    ? Infinity
    : ms;
}
