import type { ConsumerEndpoint } from '../../../api/v1alpha1/consumer-endpoint.ts';
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
  readonly endpoint: ConsumerEndpoint;
  /** How long the endpoint before this one stays allowed, seconds. */
  readonly graceSeconds: number;
  /**
   * Where the wishes themselves say which endpoint was before: that one, or null for none, whatever was in force, and
   * `graceSeconds` says nothing. Absent: it is the one that was in force.
   */
  readonly previous?: PreviousEndpoint | null;
  readonly quarantined: boolean;
  readonly strictWireGuard: boolean;
  readonly mode: HostMode;
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

/** Modes in which the host judges. */
export type HostMode = Exclude<Mode, 'Direct'>;

export interface ViolationIntent {
  readonly action: ViolationAction;
  readonly threshold: number;
  readonly windowSeconds: number;
}

/** Null for a spec that leaves the host nothing to enforce: such a VM is denied. Pure. */
export function policyIntent(
  network: string,
  spec: VmNetworkSpec,
  classSpec: VmNetworkClassSpec,
): PolicyIntent | null {
  if (spec.mode === 'Direct' || spec.consumerEndpoint === undefined) return null;
  const { threshold, windowSeconds } = spec.violation;
  const action = effectiveViolationAction(spec);
  return {
    network,
    endpoint: spec.consumerEndpoint,
    graceSeconds: spec.endpointGraceSeconds,
    quarantined: spec.desiredState === 'Quarantined',
    strictWireGuard: spec.wireGuard.strict,
    mode: spec.mode,
    samplePerMillion: spec.mode === 'Sampled' ? effectiveRatePerMillion(spec) : 0,
    audit: spec.enforcement === 'Audit',
    limits: effectiveLimits(spec.limits, classSpec.limits.default, classSpec.limits.maximum),
    violation: { action, threshold, windowSeconds },
  };
}
