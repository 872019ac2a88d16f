import { isSealingKey } from '../../wireguard/sealed-key.ts';
import type { SealedPresharedKey } from './plan/policy-hash.ts';
import type { SecretState } from './secret-state.ts';

/** What stands in `sealedPresharedKey`. */
export type Sealing =
  | { readonly kind: 'none' }
  | { readonly kind: 'keep'; readonly sealed: SealedPresharedKey }
  /** To be sealed anew, for this recipient. */
  | { readonly kind: 'seal'; readonly recipient: string };

/**
 * Whether a pre-shared key has to be sealed for a host. Pure.
 *
 * @param sealed what stands there
 * @param published the host's sealing key, as the host says
 */
export function planSealing(
  secret: SecretState,
  sealed: SealedPresharedKey | undefined,
  published: string | undefined,
): Sealing {
  if (secret.state === 'none' || secret.state === 'invalid') return { kind: 'none' };
  if (secret.state === 'unreadable')
    return sealed === undefined ? { kind: 'none' } : { kind: 'keep', sealed };
  const isOfNow = sealed?.secretUid === secret.uid && sealed.secretResourceVersion === secret.resourceVersion;
  if (sealed !== undefined && isOfNow && sealed.recipient === published) return { kind: 'keep', sealed };
  // A host that publishes nonsense gets no key; it must not stop the others of this network.
  if (isSealingKey(published)) return { kind: 'seal', recipient: published };
  // One that tells no key now, or is away, may still hold the one that this is for.
  return sealed !== undefined && isOfNow ? { kind: 'keep', sealed } : { kind: 'none' };
}
