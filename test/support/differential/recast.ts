import { CORPUS_CAST } from '../corpus/load-corpus.ts';
import { ipv4Bytes, macBytes } from '../frames/address.ts';
import { u16 } from '../frames/bytes.ts';
import { type PolicyFields, policyBytes } from '../frames/policy-bytes.ts';
import { GRACE } from '../frames-generator/corpus-scenario.ts';
import { withRightChecksum } from '../frames-generator/mutation.ts';
import { type GeneratedPolicy, inForce } from '../frames-generator/policy.ts';
import type { Scenario } from '../frames-generator/scenario.ts';

/** Where each stands in a frame with an ARP packet or an IPv4 header of 20 bytes. */
const MACS = [0, 6, 22, 32];
const ADDRESSES = [26, 28, 30, 38];
const PORTS = [34, 36];

/**
 * The same steps played by the cast of the corpus: each address of a policy and, where it stands in the frame at the place
 * of an address, there too. Null when they are already, or a policy has no fields to speak of.
 */
export function recast(steps: readonly Scenario[]): readonly Scenario[] | null {
  const policies = new Map<GeneratedPolicy, GeneratedPolicy>();
  const changed = steps.map((step) => recastStep(step, policies));
  return changed.every((step, index) => step === steps[index]) ? null : changed;
}

function recastStep(step: Scenario, known: Map<GeneratedPolicy, GeneratedPolicy>): Scenario {
  const policy = known.get(step.policy) ?? recastPolicy(step.policy, step.circumstances.nowNs);
  known.set(step.policy, policy);
  if (policy === step.policy) return step;
  return { ...step, policy, frame: recastFrame(step.frame, step.policy.fields, policy.fields) };
}

function recastPolicy(policy: GeneratedPolicy, nowNs: bigint): GeneratedPolicy {
  if (typeof policy.inForce === 'string') return policy;
  const { previous } = policy.fields;
  const { previous: before, ...cast } = CORPUS_CAST;
  const untilNs = (previous?.untilNs ?? 0n) > nowNs ? GRACE.alive : GRACE.expired;
  const fields: PolicyFields = {
    ...policy.fields,
    ...cast,
    ...(previous !== undefined && { previous: { ...before, untilNs } }),
  };
  const bytes = policyBytes(fields);
  const isSame = policy.bytes !== null && Buffer.compare(bytes, policy.bytes) === 0;
  return isSame ? policy : { fields, bytes, inForce: inForce(fields) };
}

function recastFrame(frame: Uint8Array, from: PolicyFields, to: PolicyFields): Uint8Array {
  const changed = Uint8Array.from(frame);
  const put = (places: readonly number[], old: Uint8Array, fresh: Uint8Array): void => {
    for (const at of places)
      if (Buffer.compare(frame.subarray(at, at + old.length), old) === 0) changed.set(fresh, at);
  };
  put(MACS, macBytes(from.guestMac), macBytes(to.guestMac));
  put(MACS, macBytes(from.gatewayMac), macBytes(to.gatewayMac));
  put(ADDRESSES, ipv4Bytes(from.guestAddress), ipv4Bytes(to.guestAddress));
  put(ADDRESSES, ipv4Bytes(from.gatewayAddress), ipv4Bytes(to.gatewayAddress));
  for (const key of ['previous', 'endpoint'] as const) {
    const [old, fresh] = [from[key], to[key]];
    if (old === undefined || fresh === undefined) continue;
    put(ADDRESSES, ipv4Bytes(old.address), ipv4Bytes(fresh.address));
    put(PORTS, u16(old.port), u16(fresh.port));
  }
  const wasRight = Buffer.compare(withRightChecksum(frame), frame) === 0;
  return wasRight ? withRightChecksum(changed) : changed;
}
