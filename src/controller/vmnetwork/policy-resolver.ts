import { resolvedPolicySchema } from '../../api/v1alpha1/index.ts';
import type { ResolvedPolicy } from '../../api/v1alpha1/index.ts';
import type { Attachment } from '../kinds.ts';
import { oncePerObject } from './once-per-object.ts';
import { networkPolicy } from './plan/network-policy.ts';
import type { PolicyInput } from './plan/network-policy.ts';
import { policyHash } from './plan/policy-hash.ts';

interface Resolved {
  readonly policy: ResolvedPolicy;
  /** `spec.hash` without a sealed key; says the same of two policies only if they are the same. */
  readonly hash: string;
}

/**
 * The policies of one pass over one network. They differ by little: what endpoint stood there before, and whether the guest is
 * told of its tunnel. A network of a thousand VMs resolves, serialises and hashes one or two of them, not a thousand.
 */
export class PolicyResolver {
  readonly #input: Omit<PolicyInput, 'before' | 'tunnel'>;
  readonly #known = new Map<string, Resolved>();

  constructor(input: Omit<PolicyInput, 'before' | 'tunnel'>) {
    this.#input = input;
  }

  /** @param before what the attachment has now; absent for a new one */
  resolve(before: ResolvedPolicy | undefined, tunnel: boolean): ResolvedPolicy {
    return this.#resolved(before, tunnel).policy;
  }

  /** Whether an attachment has this very policy and says so in its hash. */
  isCurrent({ spec }: Attachment, tunnel: boolean): boolean {
    return storedHash(spec) === this.#resolved(spec.policy, tunnel).hash;
  }

  #resolved(before: ResolvedPolicy | undefined, tunnel: boolean): Resolved {
    // All that `networkPolicy` reads of them. Of ten thousand attachments each asks, so it is no JSON.
    const { consumerEndpoint: now, previousEndpoint: then } = before ?? {};
    const key = [tunnel, now?.address, now?.port, then?.address, then?.port, then?.until].join(' ');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const policy = networkPolicy({ ...this.#input, before, tunnel });
    const resolved = { policy, hash: policyHash(policy, undefined) };
    this.#known.set(key, resolved);
    return resolved;
  }
}

/**
 * Of a policy as stored, with the defaults of today and without its sealed key. Null: it breaks the schema, or `spec.hash` is not
 * that of what stands there.
 */
const storedHash = oncePerObject((spec: Attachment['spec']): string | null => {
  const { policy, hash: claimed, sealedPresharedKey: sealed } = spec;
  const parsed = resolvedPolicySchema.safeParse(policy);
  if (!parsed.success || policyHash(parsed.data, sealed) !== claimed) return null;
  // Of ten thousand texts that are kept, each is kept once.
  return sealed === undefined ? claimed : policyHash(parsed.data, undefined);
});
