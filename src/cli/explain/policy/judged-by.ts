import type { Policy } from '../../../native/policy-abi.ts';
import { caveats, describePolicy } from '../report/policy-text.ts';
import { explainedPolicy, hasLimits, policyFor, type PolicyTerms } from './explained-policy.ts';
import type { HostKnowledge } from './guest.ts';
import type { PolicyOptions } from './policy-options.ts';

/** What frames are judged by, wherever it comes from: a file, or the kernel. */
export interface JudgedBy {
  /** Empty: unknown. */
  readonly guestMac: string;
  /** Null: nothing passes. */
  readonly mode: Policy['mode'] | null;
  readonly hasLimits: boolean;
  /** One line for the person at the terminal. */
  readonly description: string;
  /** What was taken for granted, and what makes the answer less than it looks. */
  readonly caveats: readonly string[];
  /** Times are in nanoseconds since the epoch, where the kernel's are CLOCK_MONOTONIC. Null: deny-all. */
  policyFor(terms: PolicyTerms): Policy | null;
}

/** Throws ManifestError and InputError for the file, VMN_USAGE for the options. */
export function policyOfFile(options: PolicyOptions, host: HostKnowledge): JudgedBy {
  const explained = explainedPolicy(options, host);
  return {
    guestMac: explained.guest.guestMac,
    mode: explained.intent?.mode ?? null,
    hasLimits: hasLimits(explained),
    description: describePolicy(explained),
    caveats: caveats(explained),
    policyFor: (terms) => policyFor(explained, terms),
  };
}
