import { field, type FieldOf } from './field.ts';

/** What the policy says of every frame alike, and what only the past of a frame tells. */
export const POLICY_FIELDS = {
  PolicyAbi: () => field('policy.abi', 'unknown', 'known'),
  Quarantined: () => field('policy.desiredState', 'Quarantined', 'Active'),
  AllowedUnsampled: ({ policy }) => field('policy.samplePerMillion', `not among ${policy.samplePerMillion}`),
  AllowedDirect: () => field('policy.mode', 'Direct'),
  BitRate: ({ policy }) => limit('egressBitsPerSecond', policy.limits.egressBitsPerSecond),
  PacketRate: ({ policy }) => limit('packetsPerSecond', policy.limits.packetsPerSecond),
  SuperFrame: () => field('frame.segments', 'several', 'one packet'),
  ChecksumOffload: () => field('frame.pendingChecksum', 'elsewhere', 'the checksum field'),
} satisfies Record<string, FieldOf>;

function limit(name: string, rate: number): ReturnType<typeof field> {
  return field(`policy.limits.${name}`, `more than ${rate}`, `at most ${rate}`);
}
