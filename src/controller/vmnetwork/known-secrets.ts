import { createHash } from 'node:crypto';
import { isForbidden, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { backoffMs } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { readPresharedKey } from '../../wireguard/preshared-key.ts';
import { SECRETS } from '../kinds.ts';
import type { Network, Secret } from '../kinds.ts';
import { within } from '../../lib/time-limit.ts';
import { canonicalJson } from './plan/canonical-json.ts';
import { NO_SECRET } from './secret-state.ts';
import type { SecretState } from './secret-state.ts';

/**
 * How long an answer is good for. Secrets are not watched: that would need the right to list them all. Ten a second are
 * looked at, however many there are, up to the longest.
 */
const GOOD_FOR_MS = { least: 60_000, each: 100, most: 600_000 };
const BAD_FOR_MS = 60_000;
/** A right that is missing for a moment must not hold up its network for a minute. */
const FORBIDDEN_FOR = { initialMs: 5_000, longestMs: BAD_FOR_MS };
/** A server that fails at one Secret (its key store is away, perhaps) is not asked for others meanwhile: workers would wait in vain. */
const PAUSE_MS = 5_000;
const PATIENCE_MS = 5_000;

interface Known {
  readonly reference: string;
  readonly version: string;
  readonly state: SecretState;
  readonly untilMs: number;
  /** How often in a row it was forbidden to read it. */
  readonly refusals: number;
}

/** A state, and the key itself if it was just read; whoever gets it zeroes it. */
export interface SecretLook {
  readonly state: SecretState;
  readonly key: Buffer | null;
  readonly isForbidden?: boolean;
}

type Reference = { readonly name: string; readonly key: string };

/**
 * The Secrets that networks name, asked for one by one. Remembered is only which version was seen, never what stands in it.
 * An answer is asked for anew when somebody changed the network, after a minute if it was bad and after ten if it was good.
 */
export class KnownSecrets {
  readonly #client: Pick<KubeClient, 'get'>;
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();
  /** Until when the server is not asked, monotonic. */
  #pausedUntilMs = -Infinity;

  constructor(client: Pick<KubeClient, 'get'>, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** What can be said without asking; null if it is time to ask. */
  known(network: string, object: Network): SecretState | null {
    const reference = object.spec?.wireGuard?.presharedKeySecretRef;
    if (reference === undefined) return NO_SECRET;
    const known = this.#known.get(network);
    const isOfNow = known?.reference === nameOf(reference) && known.version === versionOf(object);
    return isOfNow && known.untilMs > this.#clock.monotonicMs() ? known.state : null;
  }

  /** @param mustRead the key is needed now */
  async look(network: string, object: Network, mustRead: boolean, signal: AbortSignal): Promise<SecretLook> {
    const reference = object.spec?.wireGuard?.presharedKeySecretRef;
    if (reference === undefined) {
      this.#known.delete(network);
      return { state: NO_SECRET, key: null };
    }
    const state = this.known(network, object);
    if (state !== null && !mustRead) return { state, key: null };
    const known = this.#known.get(network);
    const before = known?.reference === nameOf(reference) && !mustRead ? known.state : null;
    const isPaused = this.#clock.monotonicMs() < this.#pausedUntilMs;
    const look = isPaused
      ? unanswered(fieldOf(object, reference), before)
      : await this.#read(object, reference, before, signal);
    const refusals = look.isForbidden === true ? (known?.refusals ?? 0) + 1 : 0;
    const badForMs = refusals === 0 ? BAD_FOR_MS : backoffMs(refusals - 1, FORBIDDEN_FOR);
    const goodForMs = look.key === null ? badForMs : this.#goodForMs();
    const untilMs = isPaused ? this.#pausedUntilMs : this.#clock.monotonicMs() + goodForMs;
    const version = versionOf(object);
    this.#known.set(network, { reference: nameOf(reference), version, state: look.state, untilMs, refusals });
    return look;
  }

  #goodForMs(): number {
    const { least, each, most } = GOOD_FOR_MS;
    return Math.min(Math.max(least, this.#known.size * each), most);
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
    object: Network,
    reference: Reference,
    before: SecretState | null,
    signal: AbortSignal,
  ): Promise<SecretLook> {
    const { namespace = '' } = object.metadata;
    const field = fieldOf(object, reference);
    const invalid = (fault: string): SecretLook => {
      const remedy = `Put the output of \`wg genpsk\` under the key "${reference.key}"; it is looked at again every minute.`;
      return { state: { state: 'invalid', message: `${field} ${fault}. ${remedy}` }, key: null };
    };
    let secret: Secret;
    try {
      const ref = { namespace, name: reference.name };
      secret = await within(this.#clock, PATIENCE_MS, signal, (limited) =>
        this.#client.get<Secret>(SECRETS, ref, limited),
      );
    } catch (error) {
      if (isNotFound(error)) return invalid('does not exist');
      if (isForbidden(error)) {
        const message = `${field} may not be read by the controller. Let the provider grant it "get" on secrets.`;
        return { state: { state: 'unreadable', message }, key: null, isForbidden: true };
      }
      signal.throwIfAborted();
      this.#pausedUntilMs = this.#clock.monotonicMs() + PAUSE_MS;
      return unanswered(field, before);
    }
    const entry = Object.hasOwn(secret.data ?? {}, reference.key) ? secret.data?.[reference.key] : undefined;
    if (entry === undefined) return invalid(`has no key "${reference.key}"`);
    const read = readPresharedKey(entry);
    if (read.state === 'invalid') return invalid(`has a key "${reference.key}" that ${read.fault}`);
    const { uid = '', resourceVersion = '' } = secret.metadata;
    return { state: { state: 'ok', uid, resourceVersion }, key: read.key };
  }
}

/** A kill switch, a refusal, a deletion must not wait for a Secret: what was known holds, and nothing is known anew. */
function unanswered(field: string, before: SecretState | null): SecretLook {
  if (before !== null) return { state: before, key: null };
  const message = `${field} cannot be read: the API server fails at it. It is tried again every minute.`;
  return { state: { state: 'unreadable', message }, key: null };
}

/** Moves when people change the network, if only a label or an annotation: "look again". Not by our own writes. */
function versionOf({ metadata: { generation, labels, annotations } }: Network): string {
  return createHash('sha256').update(canonicalJson({ generation, labels, annotations })).digest('base64');
}

function nameOf({ name, key }: Reference): string {
  return `${name}/${key}`;
}

function fieldOf({ metadata }: Network, { name }: Reference): string {
  return `spec.wireGuard.presharedKeySecretRef: Secret ${metadata.namespace ?? ''}/${name}`;
}
