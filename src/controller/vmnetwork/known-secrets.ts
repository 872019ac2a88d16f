import { isForbidden, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../lib/clock.ts';
import { readPresharedKey } from '../../wireguard/preshared-key.ts';
import { SECRETS } from '../kinds.ts';
import type { Network, Secret } from '../kinds.ts';
import { NO_SECRET } from './secret-state.ts';
import type { SecretState } from './secret-state.ts';

/** How long an answer is good for. Secrets are not watched: that would need the right to list them all. */
const GOOD_FOR_MS = 600_000;
const BAD_FOR_MS = 60_000;

interface Known {
  readonly reference: string;
  readonly generation: number | undefined;
  readonly state: SecretState;
  readonly untilMs: number;
}

/** A state, and the key itself if it was just read; whoever gets it zeroes it. */
export interface SecretLook {
  readonly state: SecretState;
  readonly key: Buffer | null;
}

/**
 * The Secrets that networks name, asked for one by one. Remembered is only which version was seen, never what stands in it.
 * An answer is asked for anew when the spec moved, after a minute if it was bad and after ten if it was good.
 */
export class KnownSecrets {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();

  constructor(client: KubeClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** @param mustRead the key is needed now */
  async look(network: string, object: Network, mustRead: boolean, signal: AbortSignal): Promise<SecretLook> {
    const reference = object.spec?.wireGuard?.presharedKeySecretRef;
    if (reference === undefined) {
      this.#known.delete(network);
      return { state: NO_SECRET, key: null };
    }
    const name = `${reference.name}/${reference.key}`;
    const nowMs = this.#clock.monotonicMs();
    const { generation } = object.metadata;
    const known = this.#known.get(network);
    const isGood = known?.reference === name && known.generation === generation && known.untilMs > nowMs;
    if (known !== undefined && isGood && !mustRead) return { state: known.state, key: null };
    const before = known?.reference === name && !mustRead ? known.state : null;
    const look = await this.#read(object, reference, before, signal);
    const untilMs = nowMs + (look.key === null ? BAD_FOR_MS : GOOD_FOR_MS);
    this.#known.set(network, { reference: name, generation, state: look.state, untilMs });
    return look;
  }

  /** Time until the network's Secret is to be looked at again, or null if it names none. */
  dueInMs(network: string): number | null {
    const known = this.#known.get(network);
    return known === undefined ? null : Math.max(known.untilMs - this.#clock.monotonicMs(), 1);
  }

  forget(network: string): void {
    this.#known.delete(network);
  }

  /** @param before what to go on with if the API server cannot say anything now */
  async #read(
    { metadata }: Network,
    reference: { readonly name: string; readonly key: string },
    before: SecretState | null,
    signal: AbortSignal,
  ): Promise<SecretLook> {
    const namespace = metadata.namespace ?? '';
    const field = `spec.wireGuard.presharedKeySecretRef: Secret ${namespace}/${reference.name}`;
    const invalid = (fault: string): SecretLook => {
      const remedy = `Put the output of \`wg genpsk\` under the key "${reference.key}"; it is looked at again every minute.`;
      return { state: { state: 'invalid', message: `${field} ${fault}. ${remedy}` }, key: null };
    };
    let secret: Secret;
    try {
      secret = await this.#client.get<Secret>(SECRETS, { namespace, name: reference.name }, signal);
    } catch (error) {
      if (isNotFound(error)) return invalid('does not exist');
      if (signal.aborted) throw error;
      // A kill switch, a refusal, a deletion must not wait for a Secret.
      if (!isForbidden(error) && before !== null) return { state: before, key: null };
      const message = isForbidden(error)
        ? `${field} may not be read by the controller. Let the provider grant it "get" on secrets.`
        : `${field} cannot be read: the API server fails at it. It is tried again every minute.`;
      return { state: { state: 'unreadable', message }, key: null };
    }
    const entry = Object.hasOwn(secret.data ?? {}, reference.key) ? secret.data?.[reference.key] : undefined;
    if (entry === undefined) return invalid(`has no key "${reference.key}"`);
    const read = readPresharedKey(entry);
    if (read.state === 'invalid') return invalid(`has a key "${reference.key}" that ${read.fault}`);
    const { uid = '', resourceVersion = '' } = secret.metadata;
    return { state: { state: 'ok', uid, resourceVersion }, key: read.key };
  }
}
