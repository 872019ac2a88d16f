/**
 * What is known of the agent of a host.
 * - `fresh`: it renewed its Lease in time.
 * - `doubt`: it did not, or not that we heard; being looked into.
 * - `stale`: it did not.
 * - `gone`: its VMNetworkNode was deleted by itself, and the API server confirmed it (`missing-hosts.ts`).
 * - `unknown`: its VMNetworkNode is missing, and nobody knows why; or it does not tell of VMs yet.
 */
export type HostHealth = 'fresh' | 'doubt' | 'stale' | 'gone' | 'unknown';

export interface HostState {
  readonly health: HostHealth;
  /** When its VMNetworkNode was made (RFC 3339); undefined: it is missing. */
  readonly since?: string | undefined;
  /** Public key that pre-shared keys are sealed to, if it published one. */
  readonly sealingKey: string | undefined;
}
