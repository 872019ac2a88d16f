import type { Attachment } from '../kinds.ts';
import { canonicalJson } from './plan/canonical-json.ts';

/**
 * What of an attachment decides about anything but counts; the generation stands for the spec. Two versions for which this is the same differ in counters, in
 * what was tried lately, or in when the same was read back again.
 */
function essence({ metadata, status }: Attachment): string {
  const { uid, generation, deletionTimestamp, finalizers, ownerReferences } = metadata;
  const conditions = (status?.conditions ?? []).map(
    ({ lastTransitionTime: _since, ...condition }) => condition,
  );
  const { verifiedAt: _when, ...enforced } = status?.enforced ?? { verifiedAt: '' };
  return canonicalJson({
    metadata: { uid, generation, deletionTimestamp, finalizers, ownerReferences },
    status: {
      observedGeneration: status?.observedGeneration,
      conditions,
      enforced,
      guest: status?.guest,
      counted: status?.counters !== undefined,
    },
  });
}

/** Whether nothing but counts changed. */
export function isMereCount(before: Attachment, after: Attachment): boolean {
  return essence(before) === essence(after);
}
