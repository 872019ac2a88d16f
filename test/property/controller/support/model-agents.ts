import { ATTACHMENTS } from '../../../../src/controller/kinds.ts';
import type { Attachment } from '../../../../src/controller/kinds.ts';
import { canonicalJson } from '../../../../src/controller/vmnetwork/plan/canonical-json.ts';
import { keyOf } from '../../../../src/kube/resource.ts';
import type { ModelApi } from './model-api.ts';

const AGENT_HASH = 'policyHash';

/** The agents of all hosts. Each looks at what was written for its host since it last looked. */
export class ModelAgents {
  readonly #api: ModelApi;
  readonly #written = new Map<string, Set<string>>();

  constructor(api: ModelApi) {
    this.#api = api;
  }

  /** An attachment is written. */
  note(attachment: Attachment): void {
    const { nodeName } = attachment.spec;
    const written = this.#written.get(nodeName) ?? new Set();
    this.#written.set(nodeName, written.add(keyOf(attachment)));
  }

  /** Answers what stands for that host, as the kernel would hold it. */
  answer(nodeName: string): void {
    const keys = this.#written.get(nodeName) ?? [];
    this.#written.delete(nodeName);
    for (const key of keys) {
      const attachment = this.#api.find<Attachment>(ATTACHMENTS, key);
      if (attachment === undefined) continue;
      const status = agentStatus(attachment);
      if (canonicalJson(status) === canonicalJson(attachment.status ?? null)) continue;
      this.#api.update(ATTACHMENTS, { ...attachment, status }, 'status');
    }
  }
}

function agentStatus(attachment: Attachment) {
  const { metadata, spec } = attachment;
  const observedGeneration = metadata.generation ?? 0;
  const condition = (type: string, reason: string) => ({
    type,
    status: 'True',
    reason,
    message: 'as the model has it',
    observedGeneration,
    lastTransitionTime: '2026-01-01T00:00:00Z',
  });
  if (metadata.deletionTimestamp !== undefined) {
    return { observedGeneration, conditions: [condition('Released', 'Denied')] };
  }
  return {
    observedGeneration,
    conditions: [condition('Programmed', 'Programmed'), condition('Enforced', 'Verified')],
    enforced: { [AGENT_HASH]: spec.hash, policyGeneration: spec.policyGeneration },
  };
}
