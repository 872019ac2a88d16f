import { z } from 'zod';

export const MODES = ['Direct', 'Sampled', 'Conntrack', 'Filtered'] as const;
export const modeSchema = z
  .enum(MODES)
  .meta({ description: 'How much the host judges.', examples: ['Filtered'] });

/**
 * How much of the traffic the host judges.
 * - `Filtered`: every packet.
 * - `Conntrack`: the first packet of each flow, the rest by the flow table.
 * - `Sampled`: a random subset; a violation is found after some time, not prevented.
 * - `Direct`: not whom the VM talks to, and status says so (`NotHostEnforced`). Of every packet that the VM is who it says it is, and
 *   that the other side is neither denied by the class or by all classes, nor another guest, nor the host.
 */
export type Mode = z.infer<typeof modeSchema>;
