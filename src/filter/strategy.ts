import { Conntrack } from './conntrack.ts';
import { Direct } from './direct.ts';
import { Enforcement } from './enforcement.ts';
import type { FilterMemory } from './filter-memory.ts';
import { newFilterMemory } from './filter-memory.ts';
import type { PolicyInForce } from './filter-policy.ts';
import type { FilteringStrategy } from './filtering-strategy.ts';
import { Full } from './full.ts';
import { Sampled } from './sampled.ts';

/**
 * The filter of one VM under a policy: its mode, and around it what every mode has (enforcement.ts).
 *
 * @param memory what remains from frame to frame; give the same one again after a change of policy
 */
export function strategyFor(
  policy: PolicyInForce,
  memory: FilterMemory = newFilterMemory(),
): FilteringStrategy {
  return new Enforcement(byMode(policy, memory), memory);
}

function byMode(policy: PolicyInForce, { flows }: FilterMemory): FilteringStrategy {
  if (typeof policy === 'string') return new Full();
  switch (policy.mode) {
    case 'Filtered':
      return new Full();
    case 'Conntrack':
      return new Conntrack(flows);
    case 'Sampled':
      return new Sampled();
    case 'Direct':
      return new Direct();
  }
}
