import type { Cidr } from '../../../api/v1alpha1/cidr.ts';
import { classObjections } from '../../../api/v1alpha1/class-objections.ts';
import type { ConsumerEndpoint } from '../../../api/v1alpha1/consumer-endpoint.ts';
import type { ResolvedPolicy } from '../../../api/v1alpha1/index.ts';
import { resolvedPolicySchema } from '../../../api/v1alpha1/index.ts';
import { effectiveLimits } from '../../../api/v1alpha1/limits.ts';
import { effectiveViolationAction } from '../../../api/v1alpha1/violation.ts';
import type { VmNetworkClassSpec } from '../../../api/v1alpha1/vm-network-class-spec.ts';
import { effectiveRatePerMillion } from '../../../api/v1alpha1/vm-network-spec.ts';
import type { VmNetworkSpec } from '../../../api/v1alpha1/vm-network-spec.ts';

/** What is needed to resolve; the class has accepted the spec. */
export interface PolicyInput {
  /** Name of the network. */
  readonly network: string;
  readonly spec: VmNetworkSpec;
  readonly classSpec: VmNetworkClassSpec;
  readonly clusterRanges: readonly Cidr[];
  /** What the attachment has now; absent for a new one. */
  readonly before?: ResolvedPolicy | undefined;
  /** The guest may be provisioned: its pre-shared key is there, or none is asked for. */
  readonly tunnel: boolean;
  readonly nowMs: number;
}

/**
 * What a network and its class come to for one card. Pure.
 *
 * An endpoint changes in two steps. First the new one is written with the old one beside it, until now + grace; then,
 * at that time, the policy is written again without it. Each time it is asked anew whether the old one may stay: it goes at once when
 * the class has come to forbid it and when the grace was set to 0; and it never stays for longer than the grace of today, whatever was
 * written before (a step of the clock, a grace that was shortened).
 */
export function networkPolicy(input: PolicyInput): ResolvedPolicy {
  const { network, spec, classSpec, tunnel } = input;
  const { strict, presharedKeySecretRef: _reference, ...guest } = spec.wireGuard;
  const previousEndpoint = previousEndpointOf(input);
  const { threshold, windowSeconds } = spec.violation;
  // Parsed, so that it is what the API server will store: defaults filled in, nothing it would prune.
  return resolvedPolicySchema.parse({
    network,
    className: spec.className,
    mode: spec.mode,
    enforcement: spec.enforcement,
    desiredState: spec.desiredState,
    ...(spec.mode === 'Direct' || spec.consumerEndpoint === undefined
      ? {}
      : { consumerEndpoint: spec.consumerEndpoint }),
    ...(previousEndpoint === undefined ? {} : { previousEndpoint }),
    strictWireGuard: strict,
    ...(spec.mode === 'Sampled' ? { sampling: { ratePerMillion: effectiveRatePerMillion(spec) } } : {}),
    limits: effectiveLimits(spec.limits, classSpec.limits.default, classSpec.limits.maximum),
    violation: { action: effectiveViolationAction(spec), threshold, windowSeconds },
    ...(tunnel ? { wireGuard: guest } : {}),
    cloudInit: spec.cloudInit,
  });
}

type PreviousEndpoint = NonNullable<ResolvedPolicy['previousEndpoint']>;

function previousEndpointOf(input: PolicyInput): PreviousEndpoint | undefined {
  const { spec, before, nowMs } = input;
  const endpoint = spec.mode === 'Direct' ? undefined : spec.consumerEndpoint;
  const graceMs = spec.endpointGraceSeconds * 1000;
  if (endpoint === undefined || graceMs === 0 || before?.consumerEndpoint === undefined) return undefined;
  const changed = !sameEndpoint(before.consumerEndpoint, endpoint);
  const candidate = changed ? before.consumerEndpoint : before.previousEndpoint;
  if (candidate === undefined || sameEndpoint(candidate, endpoint)) return undefined;
  const written = changed ? null : (before.previousEndpoint?.until ?? '');
  const until = graceEnd(written, nowMs, nowMs + graceMs);
  if (until === null || !classAllows(candidate, input)) return undefined;
  return { address: candidate.address, port: candidate.port, until };
}

/**
 * When a grace ends; null: it is over, or its time cannot be read.
 *
 * @param written the time that stands there, kept as it is written, for another text would be a change; null for a grace that begins
 */
function graceEnd(written: string | null, nowMs: number, latestMs: number): string | null {
  const latest = new Date(latestMs).toISOString();
  if (written === null) return latest;
  const writtenMs = Date.parse(written);
  if (!(writtenMs > nowMs)) return null;
  return writtenMs > latestMs ? latest : written;
}

function classAllows(endpoint: ConsumerEndpoint, { spec, classSpec, clusterRanges }: PolicyInput): boolean {
  const { address, port } = endpoint;
  const withThat = { ...spec, consumerEndpoint: { address, port } };
  return classObjections(withThat, classSpec, clusterRanges).length === 0;
}

function sameEndpoint(a: ConsumerEndpoint, b: ConsumerEndpoint): boolean {
  return a.address === b.address && a.port === b.port;
}
