import { z } from 'zod';

/** Share of packets that mode Sampled judges when nothing is said: 1 %. */
export const DEFAULT_RATE_PER_MILLION = 10_000;

export const samplingSchema = z.strictObject({
  ratePerMillion: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(DEFAULT_RATE_PER_MILLION)
    .meta({
      description: 'Packets judged out of a million, 1 to 1000000; 10000 is 1 %.',
      examples: [10_000],
    }),
});

export type Sampling = z.infer<typeof samplingSchema>;
