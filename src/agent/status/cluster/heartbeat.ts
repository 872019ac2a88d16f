import { hostname } from 'node:os';
import { NODE_LEASE } from '../../../api/v1alpha1/node-lease.ts';
import { isConflict, isNotFound } from '../../../kube/api-error.ts';
import type { KubeClient } from '../../../kube/client.ts';
import { LEASE } from '../../../kube/leader-election/lease.ts';
import type { Lease } from '../../../kube/leader-election/lease.ts';
import { within } from '../../../lib/time-limit.ts';
import { backoffMs } from '../../../lib/backoff.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import { microTime } from '../../../lib/micro-time.ts';

export interface HeartbeatPorts {
  readonly client: KubeClient;
  /** Where the controller looks for it. */
  readonly namespace: string;
  readonly nodeName: string;
  /** Why this agent does not count as alive, or null. Asked before each renewal. */
  readonly ailment: () => string | null;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random?: (() => number) | undefined;
}

const PERIOD_MS = 10_000;
/** A renewal that failed is tried again sooner, so that three in a row may fail. */
const RETRY = { initialMs: 2_500, longestMs: 2_500, jitter: 0.4 };
const ANSWER_MS = 8_000;

/**
 * The Lease `node.NAME`, by which the controller knows that this host does what it is told. While passes stand still it is not
 * renewed: an agent that only breathes is none.
 */
export class Heartbeat {
  readonly #ports: HeartbeatPorts;
  readonly #identity = `${hostname()}-${process.pid}`;
  #lease: Lease | null = null;
  #ailment: string | null = null;
  #failures = 0;
  #everBeat = false;
  #nap = new AbortController();

  constructor(ports: HeartbeatPorts) {
    this.#ports = ports;
  }

  /** Renewals that failed since the last that did not. */
  get failures(): number {
    return this.#failures;
  }

  /** What kept it from being alive may be over. */
  nudge(): void {
    if (this.#ailment !== null) this.#nap.abort();
  }

  /** Renews until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#ports;
    const jitter = random === undefined ? {} : { random };
    while (!signal.aborted) {
      const healthy = await this.#beat(signal);
      const delayMs = healthy
        ? backoffMs(0, { initialMs: PERIOD_MS, longestMs: PERIOD_MS, jitter: 0.1, ...jitter })
        : backoffMs(0, { ...RETRY, ...jitter });
      this.#nap = new AbortController();
      await clock.sleep(delayMs, AbortSignal.any([signal, this.#nap.signal])).catch(() => undefined);
    }
  }

  /** False if it should be tried again soon. */
  async #beat(signal: AbortSignal): Promise<boolean> {
    const { clock, log } = this.#ports;
    const ailment = this.#ports.ailment();
    if (ailment !== this.#ailment && ailment !== null)
      log[this.#everBeat ? 'warn' : 'debug']({ ailment }, 'no sign of life is given');
    this.#ailment = ailment;
    if (ailment !== null) return false;
    try {
      await within(clock, ANSWER_MS, signal, (limit) => this.#renew(limit));
      if (this.#failures > 0) log.info('the API server hears of this host again');
      this.#failures = 0;
      this.#everBeat = true;
      return true;
    } catch (err) {
      if (signal.aborted) return true;
      this.#lease = null;
      this.#failures += 1;
      const level = this.#failures === 1 && !isConflict(err) ? 'warn' : 'debug';
      log[level]({ err }, 'the sign of life was not taken; will be repeated');
      return false;
    }
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { client, namespace, nodeName, clock } = this.#ports;
    const ref = { namespace, name: `${NODE_LEASE.prefix}${nodeName}` };
    const before = this.#lease ?? (await this.#find(ref, signal));
    const spec = {
      ...before?.spec,
      holderIdentity: this.#identity,
      leaseDurationSeconds: NODE_LEASE.seconds,
      renewTime: microTime(clock.now()),
    };
    const identity = { apiVersion: 'coordination.k8s.io/v1', kind: LEASE.kind };
    this.#lease =
      before === null
        ? await client.create<Lease>(LEASE, { ...identity, metadata: ref, spec }, { signal })
        : await client.update<Lease>(LEASE, { ...before, spec }, { signal });
  }

  async #find(ref: { namespace: string; name: string }, signal: AbortSignal): Promise<Lease | null> {
    try {
      return await this.#ports.client.get<Lease>(LEASE, ref, signal);
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
  }
}
