import { setTimeout as pause } from 'node:timers/promises';
import type { ApiClient } from '../../test/support/scripted-agent/api-client.ts';
import { LEASES } from '../../test/support/scripted-agent/kinds.ts';
import type { AnyObject, Metadata } from '../../test/support/scripted-agent/objects.ts';
import { SYSTEM_NAMESPACE } from '../../test/support/chart/helm.ts';

interface Lease extends AnyObject {
  spec: { holderIdentity: string; leaseDurationSeconds: number; renewTime: string };
}

/** As agents do. */
export const EVERY_MS = 10_000;
const LEASE_SECONDS = 40;
/** Renewals under way at the same time; more would only wait at the server. */
const AT_A_TIME = 8;

const IDENTITY = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };

/** The Leases of all hosts, each renewed every 10 s by one request, evenly spread over that time. */
export class Heartbeats {
  readonly #client: ApiClient;
  readonly #leases: Metadata[] = [];
  readonly #life = new AbortController();
  #work: Promise<unknown> = Promise.resolve();
  #width = 0;
  #next = 0;
  #written = 0;
  readonly #onFailure: (reason: Error) => void;

  /** `onFailure`: a host would fall silent, and other figures would come out. */
  constructor(client: ApiClient, onFailure: (reason: Error) => void) {
    this.#client = client;
    this.#onFailure = onFailure;
  }

  /** Renewals so far. */
  get written(): number {
    return this.#written;
  }

  /** The first heartbeat of a host. */
  async add(node: string): Promise<void> {
    const metadata = { name: `node.${node}`, namespace: SYSTEM_NAMESPACE };
    const made = await this.#client.create<Lease>(LEASES, { ...IDENTITY, metadata, spec: specOf(node) });
    this.#leases.push(made.metadata);
  }

  /** After the last host was added. */
  start(): void {
    this.#width = Math.min(AT_A_TIME, this.#leases.length);
    this.#work = Promise.all(Array.from({ length: this.#width }, () => this.#beat()));
  }

  async stop(): Promise<void> {
    this.#life.abort();
    await this.#work;
  }

  /** One of the writers: takes the next Lease in turn, and rests so that together they come round once in that time. */
  async #beat(): Promise<void> {
    const { signal } = this.#life;
    while (!signal.aborted) {
      const began = performance.now();
      const at = this.#next++ % this.#leases.length;
      try {
        await this.#renew(at);
      } catch (error) {
        return this.#onFailure(new Error('a heartbeat could not be written', { cause: error }));
      }
      const shareMs = (EVERY_MS * this.#width) / this.#leases.length;
      const restMs = Math.max(0, shareMs - (performance.now() - began));
      await pause(restMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #renew(at: number): Promise<void> {
    const metadata = this.#leases[at];
    if (metadata === undefined) return;
    const { name, namespace = '' } = metadata;
    const place = { namespace, name };
    const spec = specOf(name.slice('node.'.length));
    const write = (present: Metadata) => {
      return this.#client.replace<Lease>(LEASES, place, { ...IDENTITY, metadata: present, spec });
    };
    // The last answer stands for a read, for nobody else writes it; unless that answer was lost.
    const written = await write(metadata).catch(async () => {
      return write((await this.#client.get<Lease>(LEASES, place)).metadata);
    });
    this.#leases[at] = written.metadata;
    this.#written += 1;
  }
}

function specOf(node: string): Lease['spec'] {
  return {
    holderIdentity: `${node}-1`,
    leaseDurationSeconds: LEASE_SECONDS,
    renewTime: new Date().toISOString().replace('Z', '000Z'),
  };
}
