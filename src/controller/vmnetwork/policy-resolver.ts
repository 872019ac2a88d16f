import { resolvedPolicySchema } from '../../api/v1alpha1/index.ts';
import type { ResolvedPolicy } from '../../api/v1alpha1/index.ts';
import type { Attachment } from '../kinds.ts';
import { canonicalJson } from './plan/canonical-json.ts';
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
    const { policy, hash } = this.#resolved(spec.policy, tunnel);
    if (storedHash(spec) !== hash) return false;
    const sealed = spec.sealedPresharedKey;
    return spec.hash === (sealed === undefined ? hash : policyHash(policy, sealed));
  }

  #resolved(before: ResolvedPolicy | undefined, tunnel: boolean): Resolved {
    const { consumerEndpoint, previousEndpoint } = before ?? {};
    const key = canonicalJson({ consumerEndpoint, previousEndpoint, tunnel });
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const policy = networkPolicy({ ...this.#input, before, tunnel });
    const resolved = { policy, hash: policyHash(policy, undefined) };
    this.#known.set(key, resolved);
    return resolved;
  }
}

const hashes = new WeakMap<ResolvedPolicy, string | null>();

/** Of a policy as stored, with the defaults of today; once for each version of the object. Null: it breaks the schema. */
function storedHash({ policy, hash: claimed }: Attachment['spec']): string | null {
  const known = hashes.get(policy);
  if (known !== undefined) return known;
  const parsed = resolvedPolicySchema.safeParse(policy);
  const hash = parsed.success ? policyHash(parsed.data, undefined) : null;
  // Nearly always it is what stands there already: of ten thousand texts that are kept, each is kept once.
  hashes.set(policy, hash === claimed ? claimed : hash);
  return hash;
}
