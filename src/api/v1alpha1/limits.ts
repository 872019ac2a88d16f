import { z } from 'zod';
import { quantitySchema } from './quantity.ts';

/** Rates for what leaves the VM; 0 is "no limit". */
export const limitsSchema = z.strictObject({
  egressBitsPerSecond: quantitySchema.default(0).meta({
    description: 'Most bits a second that the VM may send; 0 for no limit.',
    examples: [100_000_000],
  }),
  packetsPerSecond: quantitySchema
    .default(0)
    .meta({ description: 'Most packets a second that the VM may send; 0 for no limit.', examples: [20_000] }),
});

export type Limits = z.infer<typeof limitsSchema>;

export const LIMIT_FIELDS = [
  'egressBitsPerSecond',
  'packetsPerSecond',
] as const satisfies readonly (keyof Limits)[];

const NO_LIMITS: Limits = { egressBitsPerSecond: 0, packetsPerSecond: 0 };

/**
 * What is enforced: the network's own limit; where it says nothing (0), the default of its class; where that says
 * nothing either, the maximum of its class, which would otherwise bound only those who ask.
 */
export function effectiveLimits(own: Limits, classDefault: Limits, classMaximum: Limits = NO_LIMITS): Limits {
  const effective = (field: keyof Limits) => own[field] || classDefault[field] || classMaximum[field];
  return {
    egressBitsPerSecond: effective('egressBitsPerSecond'),
    packetsPerSecond: effective('packetsPerSecond'),
  };
}
