import { z } from 'zod';

/** A UDP port that can be talked to: 1 to 65535. Zero means "any" to the socket calls and is refused. */
export const portSchema = z
  .int()
  .min(1)
  .max(65535)
  .brand<'Port'>()
  .meta({ description: 'UDP port, 1 to 65535.', examples: [51900] });

export type Port = z.infer<typeof portSchema>;
