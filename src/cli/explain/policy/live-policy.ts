import type { Kernel, ReadBack } from '../../../agent/host/kernel.ts';
import { attachmentFault } from '../../../agent/wiring/verify.ts';
import { VmnError } from '../../../lib/errors.ts';
import type { Clock } from '../../../lib/clock.ts';
import { decodePolicy, type Policy } from '../../../native/policy-abi.ts';
import type { HostFilter, HostFilters } from '../../filters/host-filters.ts';
import { escapeText } from '../../terminal/escape.ts';
import { usageError } from '../../usage-error.ts';
import { targetOf, traitsOf } from '../report/policy-text.ts';
import type { PolicyTerms } from './explained-policy.ts';
import type { JudgedBy } from './judged-by.ts';

export interface LivePorts {
  readonly filters: Pick<HostFilters, 'named'>;
  readonly kernel: Pick<Kernel, 'readBack'>;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicNs'>;
}

/**
 * The policy that both programs of a VM judge by at this moment, read back from the kernel. What they remember of the VM is
 * not read: flows and limits begin afresh. `timed`: the frames tell when they were; else they are of now.
 * @throws InputError for a name without a filter; VMN_USAGE for a VM with several; VMN_READ_BACK for what cannot be read
 */
export function livePolicy(name: string, timed: boolean, { filters, kernel, clock }: LivePorts): JudgedBy {
  const filter = theOne(name, filters.named(name));
  const found = kernel.readBack(filter.pinDir);
  const policy = policyOf(filter, found);
  const nowNs = clock.monotonicNs();
  return {
    guestMac: policy?.guestMac ?? '',
    mode: policy?.mode ?? null,
    hasLimits: policy !== null && policy.limits.egressBitsPerSecond + policy.limits.packetsPerSecond > 0,
    description: describe(filter, policy),
    caveats: caveatsOf(filter, found, policy),
    policyFor: (terms) =>
      policy === null
        ? null
        : termed(policy, terms, timed ? epochOf(policy, nowNs, clock) : graceNow(policy, nowNs)),
  };
}

function theOne(name: string, filters: readonly HostFilter[]): HostFilter {
  const [filter] = filters;
  if (filter !== undefined && filters.length === 1) return filter;
  const taps = filters.map(({ tap }) => tap).join(', ');
  throw usageError(
    `--live ${name}: the VM has several network cards`,
    `Give the interface of one of them: ${taps}.`,
  );
}

function policyOf({ tap }: HostFilter, { policy, policyState }: ReadBack): Policy | null {
  const attempted = 'read the policy in force';
  if (policyState === 'unknown') throw new VmnError('VMN_READ_BACK', { attempted, on: tap });
  if (policy === null) return null;
  try {
    return decodePolicy(policy);
  } catch (cause) {
    const remedy = 'It was written by another version, for which the programs of this one drop everything.';
    throw new VmnError('VMN_READ_BACK', { attempted, on: tap, remedy, cause });
  }
}

/** The secret stays in the kernel: what is drawn by it is drawn by --seed here. */
function termed(policy: Policy, { secret, limits }: PolicyTerms, untilNs: bigint): Policy {
  return {
    ...policy,
    secret,
    previous: policy.previous === null ? null : { ...policy.previous, untilNs },
    limits: limits ? policy.limits : { egressBitsPerSecond: 0, packetsPerSecond: 0 },
    violation: { threshold: 0, windowMs: 0 },
  };
}

/** When the grace ends, by the clock of captures. */
function epochOf({ previous }: Policy, nowNs: bigint, clock: Pick<Clock, 'nowMs'>): bigint {
  if (previous === null) return 0n;
  const until = BigInt(Math.round(clock.nowMs() * 1000)) * 1000n + previous.untilNs - nowNs;
  return until > 0n ? until : 0n;
}

/** Frames without a time are of time 0: all of the grace, or none. */
function graceNow({ previous }: Policy, nowNs: bigint): bigint {
  return previous !== null && nowNs < previous.untilNs ? previous.untilNs : 0n;
}

function describe({ vm, tap }: HostFilter, policy: Policy | null): string {
  const where = `${vm} on ${tap}, as the kernel has it`;
  if (policy === null) return escapeText(`${where}: nothing (denied)`);
  const { guestMac, guestAddress, endpoint, generation, mode, samplePerMillion, flags } = policy;
  const traits = [...traitsOf({ mode, samplePerMillion, ...flags }), `generation ${generation}`].join(', ');
  return escapeText(`${where}: ${guestMac} ${guestAddress} → ${targetOf(endpoint)} (${traits})`);
}

function caveatsOf(filter: HostFilter, found: ReadBack, policy: Policy | null): string[] {
  const lines: string[] = [];
  const fault = faultOf(filter, found);
  if (fault !== null) lines.push(`the kernel does not judge by it as it should: ${fault}`);
  if (policy === null) lines.push('the VM is denied: there is no policy in the kernel');
  return lines.map((line) => escapeText(line, 1000));
}

/** From here nobody sees what runs first in another network namespace. */
function faultOf({ tap, ifindex, elsewhere }: HostFilter, found: ReadBack): string | null {
  if (elsewhere) return found.fromVm === null || found.toVm === null ? 'a program is not attached' : null;
  return ifindex === null ? `there is no interface ${tap}` : attachmentFault(found, ifindex);
}
