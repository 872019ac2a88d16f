import { classObjections } from '../../../api/v1alpha1/class-objections.ts';
import type { ConsumerEndpoint } from '../../../api/v1alpha1/consumer-endpoint.ts';
import { LIMIT_FIELDS } from '../../../api/v1alpha1/limits.ts';
import { vmNetworkSpecSchema } from '../../../api/v1alpha1/vm-network-spec.ts';
import type { VmNetworkSpec } from '../../../api/v1alpha1/vm-network-spec.ts';
import type { ResolvedPolicy } from '../../../api/v1alpha1/index.ts';
import type { PolicyIntent } from '../../../controller/vmnetwork/plan.ts';
import { policyIntent, tooManyDenied } from '../../../controller/vmnetwork/plan/policy-intent.ts';
import { MAX_BITS_PER_SECOND, MAX_PACKETS_PER_SECOND } from '../../../native/policy-abi.ts';
import { GATEWAY_ADDRESS, GATEWAY_MAC } from '../../wiring/identity.ts';
import { refusal } from './wishes.ts';
import type { Refusal, WishedClass } from './wishes.ts';

/** What is asked for, and where. */
export interface HostPolicyInput {
  /** `namespace/name`. */
  readonly network: string;
  readonly policy: ResolvedPolicy;
  readonly networkClass: WishedClass | undefined;
  /** Of the guest on this host; null: it gets one when it is programmed. */
  readonly guestAddress: string | null;
  /** When the grace of `policy.previousEndpoint` ends, CLOCK_MONOTONIC; null without one. */
  readonly untilNs: bigint | null;
}

export type HostPolicy =
  | { readonly intent: PolicyIntent; readonly refusal: null }
  | { readonly intent: null; readonly refusal: Refusal };

/**
 * What this host enforces for a resolved policy, or why nothing passes instead. Pure. The class is asked again, here, so that
 * neither an API server that lags behind nor a controller that was taken over widens what a host lets through.
 */
export function hostPolicy(input: HostPolicyInput): HostPolicy {
  const { policy, networkClass, network } = input;
  const spec = asNetworkSpec(policy);
  if (spec === null) return refused('Unsupported', 'spec.policy is not what a VMNetwork can come to');
  if (networkClass?.spec == null) {
    const message = `VMNetworkClass "${policy.className}" is not there, or cannot be read by this version of the agent`;
    return refused('ClassNotFound', message);
  }
  const classSpec = networkClass.spec;
  if (classSpec.deniedDestinations.clusterRanges && networkClass.clusterRanges === null) {
    return refused(
      'Pending',
      `VMNetworkClass "${policy.className}" does not tell the ranges of this cluster yet`,
    );
  }
  const ranges = networkClass.clusterRanges ?? [];
  const objections = classObjections(spec, classSpec, ranges);
  if (objections.length > 0) {
    const said = objections.map(({ field, value, message }) => `${field} (${value}) ${message}`);
    return refused('DeniedByClass', said.join('. '));
  }
  const intent = policyIntent(network, spec, classSpec, ranges);
  const crowded = spec.mode === 'Direct' ? tooManyDenied(classSpec, ranges) : null;
  const wayOut =
    'Deny larger networks in spec.deniedDestinations.networks of the class, which take in the small ones';
  const lacking = crowded === null ? unsupported(input, intent) : `mode Direct ${crowded}. ${wayOut}`;
  if (intent === null || lacking !== null) {
    return refused('Unsupported', lacking ?? `mode ${policy.mode} needs an endpoint`);
  }
  const previous = spec.mode === 'Direct' ? null : previousOf(input);
  // One that the class has come to forbid goes at once; the controller is about to write so.
  const allowed =
    previous !== null &&
    classObjections({ ...spec, consumerEndpoint: previous.endpoint }, classSpec, ranges).length === 0;
  return { intent: { ...intent, graceSeconds: 0, previous: allowed ? previous : null }, refusal: null };
}

/** The same wish in the words of a VMNetwork, for whoever judges those; null if no VMNetwork can say it. */
function asNetworkSpec(policy: ResolvedPolicy): VmNetworkSpec | null {
  const { className, mode, enforcement, desiredState, consumerEndpoint, sampling, limits, violation } =
    policy;
  const { action, ...window } = violation;
  const parsed = vmNetworkSpecSchema.safeParse({
    className,
    mode,
    enforcement,
    desiredState,
    ...(consumerEndpoint === undefined ? {} : { consumerEndpoint }),
    ...(sampling === undefined ? {} : { sampling }),
    limits,
    // With Direct there is none to act on, and a VMNetwork may not name one.
    violation: mode === 'Direct' || action === undefined ? window : { action, ...window },
    wireGuard: { strict: policy.strictWireGuard },
    // Which VM it is stands elsewhere.
    selector: { names: ['vm'] },
  });
  return parsed.success ? parsed.data : null;
}

/** What this version cannot do of it, or null. */
function unsupported({ policy, guestAddress }: HostPolicyInput, intent: PolicyIntent | null): string | null {
  if (policy.gatewayAddress !== GATEWAY_ADDRESS || policy.gatewayMac !== GATEWAY_MAC) {
    return `spec.policy.gatewayAddress and gatewayMac other than ${GATEWAY_ADDRESS} and ${GATEWAY_MAC} are not available in this version`;
  }
  if (policy.guestAddress !== undefined && policy.guestAddress !== guestAddress) {
    const given = guestAddress ?? 'which is none yet';
    return `spec.policy.guestAddress ${policy.guestAddress} is not the address that this host gave the guest, ${given}`;
  }
  const high = LIMIT_FIELDS.find((field) => (intent?.limits[field] ?? 0) > HIGHEST_LIMITS[field]);
  return high === undefined ? null : `spec.policy.limits.${high} is more than the filter can count`;
}

const HIGHEST_LIMITS = {
  egressBitsPerSecond: MAX_BITS_PER_SECOND,
  packetsPerSecond: MAX_PACKETS_PER_SECOND,
};

function previousOf({ policy: { previousEndpoint }, untilNs }: HostPolicyInput) {
  if (previousEndpoint === undefined || untilNs === null) return null;
  const { address, port } = previousEndpoint;
  const endpoint: ConsumerEndpoint = { address, port };
  return { endpoint, untilNs };
}

function refused(reason: Refusal['reason'], message: string): HostPolicy {
  return { intent: null, refusal: refusal(reason, message) };
}
