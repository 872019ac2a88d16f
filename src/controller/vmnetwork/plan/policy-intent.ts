import type { Cidr } from '../../../api/v1alpha1/cidr.ts';
import type { ConsumerEndpoint } from '../../../api/v1alpha1/consumer-endpoint.ts';
import { deniedRanges } from '../../../api/v1alpha1/denied-networks.ts';
import type { AddressRange } from '../../../api/v1alpha1/denied-networks.ts';
import { effectiveLimits } from '../../../api/v1alpha1/limits.ts';
import type { Limits } from '../../../api/v1alpha1/limits.ts';
import type { Mode } from '../../../api/v1alpha1/mode.ts';
import { effectiveViolationAction } from '../../../api/v1alpha1/violation.ts';
import type { ViolationAction } from '../../../api/v1alpha1/violation.ts';
import type { VmNetworkClassSpec } from '../../../api/v1alpha1/vm-network-class-spec.ts';
import { effectiveRatePerMillion } from '../../../api/v1alpha1/vm-network-spec.ts';
import type { VmNetworkSpec } from '../../../api/v1alpha1/vm-network-spec.ts';

/** What one VM's host is to enforce. */
export interface PolicyIntent {
  /** `namespace/name` of the network it comes from. */
  readonly network: string;
  /** Null in mode Direct, and only there. */
  readonly endpoint: ConsumerEndpoint | null;
  /** Whom the VM may not talk to in mode Direct, which denies something whatever its class says; absent in every other mode. */
  readonly denied?: readonly AddressRange[];
  /** How long the endpoint before this one stays allowed, seconds. */
  readonly graceSeconds: number;
  /**
   * Where the wishes themselves say which endpoint was before: that one, or null for none, whatever was in force, and
   * `graceSeconds` says nothing. Absent: it is the one that was in force.
   */
  readonly previous?: PreviousEndpoint | null;
  readonly quarantined: boolean;
  readonly strictWireGuard: boolean;
  readonly mode: Mode;
  /** Share of frames that is judged in full, out of a million; 0 unless mode is Sampled. */
  readonly samplePerMillion: number;
  /** What would be dropped for where it goes is counted, and passes. */
  readonly audit: boolean;
  /** Of what leaves the VM; 0 is no limit. */
  readonly limits: Limits;
  readonly violation: ViolationIntent;
}

export interface PreviousEndpoint {
  readonly endpoint: ConsumerEndpoint;
  /** CLOCK_MONOTONIC of the host: refused from then on. */
  readonly untilNs: bigint;
}

export interface ViolationIntent {
  readonly action: ViolationAction;
  readonly threshold: number;
  readonly windowSeconds: number;
}

/**
 * Null for a spec without the endpoint that its mode needs: such a VM is denied. Pure.
 *
 * @param clusterRanges see classObjections
 */
export function policyIntent(
  network: string,
  spec: VmNetworkSpec,
  classSpec: VmNetworkClassSpec,
  clusterRanges: readonly Cidr[] = [],
): PolicyIntent | null {
  const isDirect = spec.mode === 'Direct';
  const endpoint = isDirect ? null : spec.consumerEndpoint;
  if (endpoint === undefined) return null;
  const { threshold, windowSeconds } = spec.violation;
  const action = effectiveViolationAction(spec);
  return {
    network,
    endpoint,
    ...(isDirect ? { denied: deniedRanges(classSpec, clusterRanges) } : {}),
    graceSeconds: isDirect ? 0 : spec.endpointGraceSeconds,
    quarantined: spec.desiredState === 'Quarantined',
    strictWireGuard: !isDirect && spec.wireGuard.strict,
    mode: spec.mode,
    samplePerMillion: spec.mode === 'Sampled' ? effectiveRatePerMillion(spec) : 0,
    audit: !isDirect && spec.enforcement === 'Audit',
    limits: effectiveLimits(spec.limits, classSpec.limits.default, classSpec.limits.maximum),
    violation: { action, threshold, windowSeconds },
  };
}

/** VMN_DENIED_MAX of native/include/vmn/abi.h, less one for the addresses of the other guests; a test compares. */
export const MOST_DENIED = 511;

/**
 * Why mode Direct cannot deny what the class denies; null: it can. The filter holds so many ranges with a policy. Only the
 * ranges of a cluster can be more.
 */
export function tooManyDenied(classSpec: VmNetworkClassSpec, clusterRanges: readonly Cidr[]): string | null {
  const { length } = deniedRanges(classSpec, clusterRanges);
  if (length <= MOST_DENIED) return null;
  return `cannot be held to what the class denies: ${length} ranges that do not touch, and the filter holds ${MOST_DENIED}`;
}
