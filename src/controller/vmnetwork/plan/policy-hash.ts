import { hash } from 'node:crypto';
import type { ResolvedPolicy, VmNetworkAttachmentSpec } from '../../../api/v1alpha1/index.ts';
import { canonicalJson } from './canonical-json.ts';

export type SealedPresharedKey = NonNullable<VmNetworkAttachmentSpec['sealedPresharedKey']>;

/** `spec.hash`: SHA-256 of the canonical JSON of `{policy, sealedPresharedKey}`, hex. What is absent is left out. */
export function policyHash(
  policy: ResolvedPolicy,
  sealedPresharedKey: SealedPresharedKey | undefined,
): string {
  return hash('sha256', canonicalJson({ policy, sealedPresharedKey }), 'hex');
}
