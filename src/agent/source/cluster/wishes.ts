import { z } from 'zod';
import { formatFieldPath } from '../../../api/field-path.ts';
import { explainIssues } from '../../../api/schema-issues.ts';
import type { Cidr } from '../../../api/v1alpha1/cidr.ts';
import { networkCidrSchema } from '../../../api/v1alpha1/cidr.ts';
import type { ConditionReason } from '../../../api/v1alpha1/conditions.ts';
import type { VmNetworkAttachmentSpec } from '../../../api/v1alpha1/index.ts';
import { rotationAsked } from '../../../controller/vmnetwork/plan/rotation-asked.ts';
import { vmNetworkAttachmentSpecSchema } from '../../../api/v1alpha1/vm-network-attachment-spec.ts';
import { vmNetworkClassSpecSchema } from '../../../api/v1alpha1/vm-network-class-spec.ts';
import type { VmNetworkClassSpec } from '../../../api/v1alpha1/vm-network-class-spec.ts';
import { policyHash } from '../../../controller/vmnetwork/plan/policy-hash.ts';
import type { AttachmentObject, ClassObject } from './kinds.ts';

/** Why nothing passes. */
export interface Refusal {
  readonly reason: ConditionReason;
  readonly message: string;
}

/** What is kept of a VMNetworkAttachment: enough to enforce it again. `spec` is as the API server gave it. */
export const savedAttachmentSchema = z.strictObject({
  namespace: z.string(),
  name: z.string(),
  uid: z.string(),
  generation: z.int().min(0),
  deleting: z.boolean(),
  /** See rotationAsked. */
  rotation: z.string().exactOptional(),
  spec: z.unknown(),
});
export type SavedAttachment = z.infer<typeof savedAttachmentSchema>;

/** What is kept of a VMNetworkClass. */
export const savedClassSchema = z.strictObject({
  name: z.string(),
  spec: z.unknown(),
  clusterRanges: z.unknown(),
});
export type SavedClass = z.infer<typeof savedClassSchema>;

/** One attachment, parsed. Whatever is wrong with it is a refusal, so that it is denied and not overlooked. */
export interface WishedAttachment extends Pick<
  SavedAttachment,
  'namespace' | 'name' | 'uid' | 'generation' | 'deleting'
> {
  /** `namespace/name`. */
  readonly key: string;
  /** Null if even that cannot be read. */
  readonly card: WishedCard | null;
  readonly spec: VmNetworkAttachmentSpec | null;
  /** Set exactly when `spec` is null. */
  readonly fault: Refusal | null;
  readonly saved: SavedAttachment;
}

export interface WishedCard {
  readonly vmId: string;
  readonly mac: string;
}

export interface WishedClass {
  readonly name: string;
  /** Null: not to be understood by this version. */
  readonly spec: VmNetworkClassSpec | null;
  /** Null: not known yet. */
  readonly clusterRanges: readonly Cidr[] | null;
  readonly saved: SavedClass;
}

export function savedAttachment({ metadata, spec }: AttachmentObject): SavedAttachment {
  const rotation = rotationAsked(metadata.annotations);
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid ?? '',
    generation: metadata.generation ?? 0,
    deleting: metadata.deletionTimestamp !== undefined,
    ...(rotation === undefined ? {} : { rotation }),
    spec: spec ?? null,
  };
}

export function savedClass({ metadata, spec, status }: ClassObject): SavedClass {
  const has = typeof status === 'object' && status !== null && 'clusterRanges' in status;
  return { name: metadata.name, spec: spec ?? {}, clusterRanges: has ? status.clusterRanges : null };
}

/** Never throws, whatever the spec. */
export function wishedAttachment(saved: SavedAttachment): WishedAttachment {
  const { namespace, name, uid, generation, deleting } = saved;
  const common = { key: `${namespace}/${name}`, namespace, name, uid, generation, deleting, saved };
  const parsed = vmNetworkAttachmentSpecSchema.safeParse(saved.spec);
  if (!parsed.success) {
    const issues = explainIssues(vmNetworkAttachmentSpecSchema, saved.spec, parsed.error.issues).slice(0, 4);
    const said = issues.map(({ path, message }) => `${formatFieldPath(['spec', ...path])} ${message}`);
    const fault = refusal('Invalid', `this version of the agent cannot read it: ${said.join('; ')}`);
    return { ...common, card: cardWithin(saved.spec), spec: null, fault };
  }
  const spec = parsed.data;
  const card = { vmId: spec.vm.id, mac: spec.interface.mac };
  if (policyHash(spec.policy, spec.sealedPresharedKey) !== spec.hash) {
    const fault = refusal('Invalid', 'spec.hash is not that of spec.policy as this version reads it');
    return { ...common, card, spec: null, fault };
  }
  return { ...common, card, spec, fault: null };
}

/** Never throws. */
export function wishedClass(saved: SavedClass): WishedClass {
  const spec = vmNetworkClassSpecSchema.safeParse(saved.spec);
  const ranges = z.array(networkCidrSchema).nullable().safeParse(saved.clusterRanges);
  // Ranges that cannot be read could be any: the class forbids everything then.
  const legible = spec.success && ranges.success;
  return {
    name: saved.name,
    spec: legible ? spec.data : null,
    clusterRanges: ranges.success ? ranges.data : null,
    saved,
  };
}

export function refusal(reason: ConditionReason, message: string): Refusal {
  return { reason, message };
}

const cardSchema = z.looseObject({
  vm: z.looseObject({ id: z.string() }),
  interface: z.looseObject({ mac: z.string() }),
});

/** The card of a spec that is otherwise not understood: it still claims that card. */
function cardWithin(spec: unknown): WishedCard | null {
  const found = cardSchema.safeParse(spec);
  return found.success ? { vmId: found.data.vm.id, mac: found.data.interface.mac.toLowerCase() } : null;
}
