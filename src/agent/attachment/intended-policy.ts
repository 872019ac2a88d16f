import { isDeepStrictEqual } from 'node:util';
import { mergedRanges, rangeOf } from '../../api/v1alpha1/denied-networks.ts';
import type { PolicyIntent } from '../../controller/vmnetwork/plan.ts';
import type { Policy } from '../../native/policy-abi.ts';
import { GATEWAY_ADDRESS, GATEWAY_MAC, TAP_MTU } from '../wiring/identity.ts';
import type { AttachmentRecord } from '../wiring/record.ts';

export interface PolicyContext {
  /** CLOCK_MONOTONIC. */
  readonly nowNs: bigint;
  /** Highest generation ever seen of this attachment; a new one goes beyond it. */
  readonly lastGeneration: bigint;
  /** Commit anew even what is in force already: with another generation the kernel's threshold of violations is armed again. */
  readonly renew?: boolean;
  /** CIDR of the guest addresses of this host: in mode Direct no guest talks to another. */
  readonly pool: string;
  /** A fresh key for the filter's draws and fingerprints, 16 bytes. */
  readonly newSecret: () => Uint8Array;
}

/**
 * The policy that should be in force, given the one that is. If the one in force already says the same it is returned
 * itself, so that nothing is written; generation and secret say nothing, they are new with each policy. Otherwise its endpoint becomes the previous one for the time of grace, but only
 * within one and the same network (another tenant's endpoint has no grace) and not out of a quarantine. Where the intent
 * states the previous endpoint, that one it is, and no longer than the kernel already holds it for.
 */
export function intendedPolicy(
  intent: PolicyIntent,
  record: AttachmentRecord,
  inForce: Policy | null,
  { nowNs, lastGeneration, newSecret, pool, renew = false }: PolicyContext,
): Policy {
  const untilNs = nowNs + BigInt(intent.graceSeconds) * 1_000_000_000n;
  const rule = {
    flags: {
      quarantined: intent.quarantined,
      strictWireGuard: intent.strictWireGuard,
      audit: intent.audit,
    },
    guestMac: record.guestMac,
    gatewayMac: GATEWAY_MAC,
    guestAddress: record.guestAddress,
    gatewayAddress: GATEWAY_ADDRESS,
    mode: intent.mode,
    endpoint: endpointOf(intent),
    limits: { ...intent.limits },
    samplePerMillion: intent.samplePerMillion,
    maxPacketBytes: TAP_MTU,
    violation: {
      threshold: intent.violation.threshold,
      windowMs: intent.violation.windowSeconds * 1000,
    },
    // In the policy itself: whatever puts Direct in force or ends it, or changes a range, is the one commit that every policy is.
    ...(intent.mode === 'Direct' ? { denied: mergedRanges([...(intent.denied ?? []), rangeOf(pool)]) } : {}),
  };
  const previous =
    rule.endpoint === null
      ? null
      : intent.previous === undefined
        ? previousEndpoint(inForce, rule, intent, record, nowNs, untilNs)
        : statedPrevious(inForce, rule, intent.previous, nowNs);
  const unchanged = inForce !== null && sameRule(inForce, rule) && samePrevious(inForce.previous, previous);
  if (unchanged && !renew) return inForce;
  const highest =
    inForce !== null && inForce.generation > lastGeneration ? inForce.generation : lastGeneration;
  return { ...rule, previous, generation: highest + 1n, secret: newSecret() };
}

type Rule = Omit<Policy, 'previous' | 'generation' | 'secret'>;
type Previous = Policy['previous'];
type StatedPrevious = Exclude<PolicyIntent['previous'], undefined>;

function endpointOf({ endpoint }: PolicyIntent): Policy['endpoint'] {
  return endpoint === null ? null : { address: endpoint.address, port: endpoint.port };
}

function previousEndpoint(
  inForce: Policy | null,
  rule: Rule,
  intent: PolicyIntent,
  record: AttachmentRecord,
  nowNs: bigint,
  untilNs: bigint,
): Previous {
  // Out of Direct nothing has a grace: what passed was nobody's endpoint.
  if (inForce === null || inForce.endpoint === null || record.network !== intent.network) return null;
  if (!sameEndpoint(inForce.endpoint, rule.endpoint)) {
    if (intent.graceSeconds === 0 || inForce.flags.quarantined) return null;
    return { ...inForce.endpoint, untilNs };
  }
  const { previous } = inForce;
  // Over already: the kernel refuses it, and to erase it would be a write without an effect.
  if (previous === null || previous.untilNs <= nowNs) return previous;
  if (intent.graceSeconds === 0) return null;
  // The grace was shortened meanwhile.
  return previous.untilNs > untilNs ? { ...previous, untilNs } : previous;
}

/** Deadlines that differ by less come from one and the same; to write it again would be a write without an effect. */
const SAME_DEADLINE_NS = 1_000_000_000n;

/**
 * The deadline comes from a wall clock, at most once for each run of the agent. What the kernel holds of an earlier run, for the
 * same change of endpoint and by a clock that cannot be set, bounds it: a wall clock that was set back in between prolongs
 * nothing.
 */
function statedPrevious(inForce: Policy | null, rule: Rule, stated: StatedPrevious, nowNs: bigint): Previous {
  const isOfThisChange = inForce !== null && sameEndpoint(inForce.endpoint, rule.endpoint);
  const held = isOfThisChange ? inForce.previous : null;
  if (stated === null || stated.untilNs <= nowNs) {
    // Over already: to erase it would be a write without an effect.
    return held !== null && held.untilNs <= nowNs ? held : null;
  }
  const { untilNs } = stated;
  const { address, port } = stated.endpoint;
  const isSame = held !== null && sameEndpoint(held, { address, port });
  if (isSame && held.untilNs <= untilNs + SAME_DEADLINE_NS) return held;
  return { address, port, untilNs };
}

function sameRule(policy: Policy, rule: Rule): boolean {
  const { previous: _previous, generation: _generation, secret: _secret, ...inForce } = policy;
  return isDeepStrictEqual(inForce, rule);
}

function sameEndpoint(a: Policy['endpoint'], b: Policy['endpoint']): boolean {
  if (a === null || b === null) return a === b;
  return a.address === b.address && a.port === b.port;
}

function samePrevious(a: Previous, b: Previous): boolean {
  if (a === null || b === null) return a === b;
  return sameEndpoint(a, b) && a.untilNs === b.untilNs;
}
