/**
 * What is known of the agent of a host.
 * - `fresh`: it renewed its Lease in time.
 * - `doubt`: it did not, or not that we heard; being looked into.
 * - `stale`: it did not.
 * - `gone`: its VMNetworkNode was deleted, and the API server confirmed it.
 * - `unknown`: its VMNetworkNode is not in the cache, which may be late.
 */
export type HostHealth = 'fresh' | 'doubt' | 'stale' | 'gone' | 'unknown';

export interface HostState {
  readonly health: HostHealth;
  /** Public key that pre-shared keys are sealed to, if it published one. */
  readonly sealingKey: string | undefined;
}
