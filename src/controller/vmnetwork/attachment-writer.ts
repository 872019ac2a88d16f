import { ApiError, isAlreadyExists, isNotFound } from '../../kube/api-error.ts';
import { isUnsent } from '../../kube/transport/transport-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { NotLeading } from '../../kube/fenced-client.ts';
import { reasonOf } from '../../lib/clock.ts';
import { sealPresharedKey } from '../../wireguard/sealed-key.ts';
import { API_VERSION, ATTACHMENTS, CLOSED_FINALIZER, FIELD_MANAGER } from '../kinds.ts';
import type { Attachment, Network } from '../kinds.ts';
import type { PlannedSpec, PlannedUpdate } from './attachment-plan.ts';
import { networksOf } from './attachment-names.ts';
import type { AfterFailure, AttachmentView } from './attachment-view.ts';
import { cardKey, cardOf } from './card.ts';
import { policyHash } from './plan/policy-hash.ts';
import type { SealedPresharedKey } from './plan/policy-hash.ts';
import type { Sealing } from './sealing.ts';
import type { Signals } from './passes.ts';
import type { SecretState } from './secret-state.ts';

/** Needed to seal; both are of the same look at the Secret. */
export interface SealingMaterial {
  readonly secret: SecretState;
  readonly key: Buffer | null;
}

/** A create that is answered with 404. Nobody wrote meanwhile, and no event is to come: it is tried again later each time. */
export class NoPlace extends Error {
  override readonly name = 'NoPlace';
  constructor({ metadata }: Attachment, cause: ApiError) {
    const missing = `namespace ${metadata.namespace ?? ''} is gone, or the CustomResourceDefinition of ${ATTACHMENTS.kind} is`;
    super(`${cause.message}: ${missing}`, { cause });
  }
}

/** Writes attachments, and keeps the view in step with what the server answered. */
export class AttachmentWriter {
  readonly #client: KubeClient;
  readonly #view: AttachmentView;
  readonly #onAnswer: (network: string) => void;

  /** @param onAnswer a create that nobody waited for any more was answered, and the view knows; `namespace/name` of its network */
  constructor(client: KubeClient, view: AttachmentView, onAnswer: (network: string) => void) {
    this.#client = client;
    this.#view = view;
    this.#onAnswer = onAnswer;
  }

  /**
   * False if it was not made: the card was given to another network meanwhile, or something stands under the name. That may
   * be an earlier create whose answer was lost, or an object whose end nobody tells this network of: it must look again.
   *
   * What was sent is not taken back when `opening` ends: nobody would know for more than a minute whether it was done. It is not
   * waited for any more, and stays claimed until its answer comes.
   */
  async create(
    network: Network,
    planned: PlannedSpec,
    material: SealingMaterial,
    { closing, opening }: Signals,
  ): Promise<boolean> {
    const attachment = newAttachment(network, planned, material);
    opening.throwIfAborted();
    if (!this.#view.claim(attachment)) return false;
    const sent = this.#send(attachment, closing);
    try {
      return await waitedFor(sent, opening, closing);
    } catch (error) {
      const tell = () => networksOf(attachment).forEach(this.#onAnswer);
      if (error === opening.reason) void sent.then(tell, tell);
      throw error;
    }
  }

  async #send(attachment: Attachment, signal: AbortSignal): Promise<boolean> {
    try {
      const options = { fieldManager: FIELD_MANAGER, signal };
      this.#view.created(await this.#client.create(ATTACHMENTS, attachment, options));
      return true;
    } catch (error) {
      this.#view.failed(attachment, afterFailure(error));
      if (error instanceof ApiError && isNotFound(error)) throw new NoPlace(attachment, error);
      if (!isAlreadyExists(error)) throw error;
    }
    // The answer to an earlier create was lost, or the name belongs to something else: see which.
    const { name, namespace } = attachment.metadata;
    const found = await this.#client.get<Attachment>(ATTACHMENTS, { name, namespace }, signal);
    // Not what is another's: that would pass for a write of ours, and its own network would not be told of it.
    if (isForTheSame(found, attachment)) this.#view.created(found);
    return false;
  }

  async update(planned: PlannedUpdate, material: SealingMaterial, signal: AbortSignal): Promise<void> {
    const { attachment, policy, policyGeneration, sealing, notes } = planned;
    const { name, namespace = '', annotations } = attachment.metadata;
    const finalizers = [...new Set([...(attachment.metadata.finalizers ?? []), CLOSED_FINALIZER])];
    const { sealedPresharedKey: _replaced, ...kept } = attachment.spec;
    const spec =
      policy === null
        ? attachment.spec
        : {
            ...kept,
            policyGeneration,
            ...sealedPolicy(policy, seal(sealing, { name, namespace }, material)),
          };
    const metadata = { ...attachment.metadata, finalizers, ...noted(notes, annotations) };
    await this.#put({ ...attachment, metadata, spec }, signal);
  }

  async remove(attachment: Attachment, signal: AbortSignal): Promise<void> {
    const { name, namespace, uid } = attachment.metadata;
    try {
      await this.#client.delete(ATTACHMENTS, { name, namespace }, { uid, signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    this.#view.deleted(attachment);
  }

  /** Its host denies: nothing holds it any more. */
  async release(attachment: Attachment, signal: AbortSignal): Promise<void> {
    const { metadata } = attachment;
    const finalizers = (metadata.finalizers ?? []).filter((name) => name !== CLOSED_FINALIZER);
    try {
      await this.#put({ ...attachment, metadata: { ...metadata, finalizers } }, signal);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async #put(attachment: Attachment, signal: AbortSignal): Promise<void> {
    const options = { fieldManager: FIELD_MANAGER, signal };
    this.#view.changed(await this.#client.update(ATTACHMENTS, attachment, options));
  }
}

/** Of the API server itself; 502 and 504 may come from a proxy that gave up while the API server had not. */
const OWN_FAILURES: ReadonlySet<number> = new Set([500, 503]);

/** What is known of a create that failed. */
function afterFailure(error: unknown): AfterFailure {
  if (error instanceof NotLeading || isUnsent(error)) return 'not made';
  if (isRefusal(error) && !isAlreadyExists(error)) return 'not made';
  return error instanceof ApiError && OWN_FAILURES.has(error.status) ? 'answered' : 'unanswered';
}

/** Ends with `opening`, unless it is the end of all, which `work` notices by itself. */
function waitedFor<T>(work: Promise<T>, opening: AbortSignal, closing: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = () => {
      if (!closing.aborted) reject(reasonOf(opening));
    };
    opening.addEventListener('abort', ended, { once: true });
    void work.then(resolve, reject).finally(() => opening.removeEventListener('abort', ended));
  });
}

/** The server looked at it and said no; anything else may have been done all the same. */
export function isRefusal(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 408;
}

/** Whether both are of one network, by its name, for one card. */
function isForTheSame(a: Attachment, b: Attachment): boolean {
  const [network = ''] = networksOf(b);
  return networksOf(a).includes(network) && cardKey(cardOf(a)) === cardKey(cardOf(b));
}

function newAttachment(network: Network, planned: PlannedSpec, material: SealingMaterial): Attachment {
  const { card, name, policy, policyGeneration, sealing, notes } = planned;
  const { namespace = '', uid = '', name: networkName } = network.metadata;
  const { id, name: vmName, uuid } = card.vm;
  return {
    apiVersion: API_VERSION,
    kind: ATTACHMENTS.kind,
    metadata: {
      name,
      namespace,
      ...noted(notes),
      finalizers: [CLOSED_FINALIZER],
      ownerReferences: [
        { apiVersion: API_VERSION, kind: 'VMNetwork', name: networkName, uid, controller: true },
      ],
    },
    spec: {
      nodeName: card.nodeName,
      vm: { id, name: vmName, ...(uuid === undefined ? {} : { uuid }) },
      interface: { mac: card.mac as Attachment['spec']['interface']['mac'] },
      policyGeneration,
      ...sealedPolicy(policy, seal(sealing, { name, namespace }, material)),
    },
  };
}

function noted(notes: PlannedSpec['notes'], annotations?: Readonly<Record<string, string>>) {
  return Object.keys(notes).length === 0 ? {} : { annotations: { ...annotations, ...notes } };
}

function sealedPolicy(policy: PlannedSpec['policy'], sealedPresharedKey: SealedPresharedKey | undefined) {
  const hash = policyHash(policy, sealedPresharedKey);
  return { policy, hash, ...(sealedPresharedKey === undefined ? {} : { sealedPresharedKey }) };
}

function seal(
  sealing: Sealing,
  where: { readonly name: string; readonly namespace: string },
  { secret, key }: SealingMaterial,
): SealedPresharedKey | undefined {
  switch (sealing.kind) {
    case 'none':
      return undefined;
    case 'keep':
      return sealing.sealed;
    case 'seal': {
      if (secret.state !== 'ok' || key === null) throw new TypeError('the pre-shared key was not read');
      const { recipient } = sealing;
      return {
        recipient,
        secretUid: secret.uid,
        secretResourceVersion: secret.resourceVersion,
        ciphertext: sealPresharedKey(key, { ...where, recipient }),
      };
    }
  }
}
