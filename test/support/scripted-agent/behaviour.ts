/** What a scripted agent can be told to do otherwise than a good one. */
export interface Behaviour {
  /** Whether it answers attachments at all; one that does not still renews its Lease. */
  readonly answers: boolean;
  /** Whether it renews its Lease. */
  readonly heartbeats: boolean;
  /** How long it thinks before each answer. */
  readonly delayMs: number;
  /** What it says it enforces: the hash of the spec, or that of something else. */
  readonly policyHash: 'right' | 'wrong';
  /** Which generation it says it speaks of: the present one, or the one before. */
  readonly observedGeneration: 'right' | 'stale';
  /** Whether it says Released of attachments that are being deleted. */
  readonly releases: boolean;
  /** Whether the kernel takes the policy; false answers Programmed=False, ProgrammingFailed. */
  readonly programs: boolean;
}

export const GOOD: Behaviour = {
  answers: true,
  heartbeats: true,
  delayMs: 0,
  policyHash: 'right',
  observedGeneration: 'right',
  releases: true,
  programs: true,
};
