import { z } from 'zod';

export const cloudInitSchema = z.strictObject({
  delivery: z
    .enum(['VendorData', 'UserData', 'None'])
    .default('VendorData')
    .meta({
      description:
        "How the guest gets its tunnel and firewall: VendorData keeps the tenant's own user-data byte for byte, UserData merges ours with it into one (MIME multipart), None gives nothing.",
      examples: ['VendorData'],
    }),
});

export type CloudInit = z.infer<typeof cloudInitSchema>;
