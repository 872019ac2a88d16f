import { DEFAULT_POOL, TAP_MTU } from '../../../agent/wiring/identity.ts';
import { mergedRanges, rangeOf } from '../../../api/v1alpha1/denied-networks.ts';
import type { PolicyIntent } from '../../../controller/vmnetwork/plan.ts';
import { MAX_BITS_PER_SECOND, MAX_PACKETS_PER_SECOND, type Policy } from '../../../native/policy-abi.ts';
import { parseIpv4Address } from '../../../api/v1alpha1/ipv4-address.ts';
import { InputError } from '../../input-error.ts';
import { usageError } from '../../usage-error.ts';
import { type Guest, guestOf, type HostKnowledge } from './guest.ts';
import { readPolicyFile } from './policy-file.ts';
import type { PolicyOptions } from './policy-options.ts';
import type { PreviousEndpoint, WantedPolicy } from './wanted-policy.ts';

/** A policy, but for what only the capture can tell: when it begins. */
export interface ExplainedPolicy {
  /** `namespace/name` of the object that it comes from. */
  readonly object: string;
  readonly vm: string;
  readonly guest: Guest;
  /** Null: the VM is denied, for the reason in `denied`. */
  readonly intent: PolicyIntent | null;
  readonly denied: string;
  readonly generation: bigint;
  readonly previous: PreviousEndpoint | null;
}

/** What engines need besides: chosen by the caller so that all of them get the same. */
export interface PolicyTerms {
  readonly secret: Uint8Array;
  /** When the capture begins, in nanoseconds since the epoch. */
  readonly startNs: bigint;
  readonly limits: boolean;
}

/** Throws ManifestError and InputError for the file, VMN_USAGE for the options. */
export function explainedPolicy(options: PolicyOptions, host: HostKnowledge): ExplainedPolicy {
  const wanted = readPolicyFile(options);
  demandCountable(options.policy, wanted.intent);
  const { object, vm, intent, denied, generation } = wanted;
  const previous = previousEndpoint(options.previousEndpoint, wanted);
  return { object, vm, intent, denied, generation, previous, guest: guestOf(options, wanted, host) };
}

/** Times are in nanoseconds since the epoch, where the agent's are CLOCK_MONOTONIC. Null: deny-all. */
export function policyFor(
  explained: ExplainedPolicy,
  { secret, startNs, limits }: PolicyTerms,
): Policy | null {
  const { intent, guest, generation, previous } = explained;
  if (intent === null) return null;
  return {
    flags: {
      quarantined: intent.quarantined,
      strictWireGuard: intent.strictWireGuard,
      audit: intent.audit,
    },
    generation,
    guestMac: guest.guestMac,
    gatewayMac: guest.gatewayMac,
    guestAddress: guest.guestAddress,
    gatewayAddress: guest.gatewayAddress,
    mode: intent.mode,
    endpoint:
      intent.endpoint === null ? null : { address: intent.endpoint.address, port: intent.endpoint.port },
    ...(intent.denied === undefined
      ? {}
      : { denied: mergedRanges([...intent.denied, rangeOf(DEFAULT_POOL)]) }),
    previous:
      previous === null
        ? null
        : { address: previous.address, port: previous.port, untilNs: endOf(previous, startNs) },
    secret,
    limits: limits ? intent.limits : { egressBitsPerSecond: 0, packetsPerSecond: 0 },
    samplePerMillion: intent.samplePerMillion,
    maxPacketBytes: TAP_MTU,
    violation: { threshold: 0, windowMs: 0 },
  };
}

export function hasLimits({ intent }: ExplainedPolicy): boolean {
  return intent !== null && intent.limits.egressBitsPerSecond + intent.limits.packetsPerSecond > 0;
}

function endOf({ until }: PreviousEndpoint, startNs: bigint): bigint {
  if ('ms' in until) return BigInt(Math.max(0, until.ms)) * 1_000_000n;
  return startNs + BigInt(until.graceSeconds) * 1_000_000_000n;
}

/** A VMNetwork does not say whom it named before; the option does. Its grace then begins with the first frame. */
function previousEndpoint(
  text: string | undefined,
  { intent, previous }: WantedPolicy,
): PreviousEndpoint | null {
  if (text === undefined) return previous;
  const [, host = '', port = ''] = /^([^:]+):([0-9]{1,5})$/.exec(text) ?? [];
  const address = parseIpv4Address(host);
  if (address === null || Number(port) < 1 || Number(port) > 65535) {
    const fault = `--previous-endpoint ${text} is not an IPv4 address and a port`;
    throw usageError(fault, 'Give it as ADDRESS:PORT, for example 198.51.100.7:51820.');
  }
  if (previous !== null) {
    const fault = '--previous-endpoint is given, and the VMNetworkAttachment has one of its own';
    throw usageError(fault, 'Leave the option out, or change the file.');
  }
  return { address, port: Number(port), until: { graceSeconds: intent?.graceSeconds ?? 0 } };
}

/** A VMNetwork with more is refused by the plan already. */
function demandCountable(file: string, intent: PolicyIntent | null): void {
  if (intent === null) return;
  const { egressBitsPerSecond, packetsPerSecond } = intent.limits;
  if (egressBitsPerSecond <= MAX_BITS_PER_SECOND && packetsPerSecond <= MAX_PACKETS_PER_SECOND) return;
  const remedy = `Set at most ${MAX_BITS_PER_SECOND} bits and ${MAX_PACKETS_PER_SECOND} packets a second.`;
  throw new InputError(file, 'limits are more than the filter can count', remedy, 'refused');
}
