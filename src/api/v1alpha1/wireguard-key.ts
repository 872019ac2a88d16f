import { z } from 'zod';

/**
 * 32 bytes in canonical base64, as `wg pubkey` prints them: 43 characters and one `=`. The last character carries only
 * four bits, so a third of the alphabet is left for it; any other would be a second spelling of the same key.
 */
const KEY_PATTERN = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;
const ALL_ZERO = `${'A'.repeat(43)}=`;
const MESSAGE = 'must be a WireGuard key: 32 bytes in base64, 44 characters, the last one "="';

export const wireGuardKeySchema = z
  .string()
  .max(44, MESSAGE)
  .regex(KEY_PATTERN, MESSAGE)
  .refine((text) => text !== ALL_ZERO, {
    error: 'must not be the all-zero key, which WireGuard reads as "no key"',
  })
  .brand<'WireGuardKey'>()
  .meta({
    description: 'WireGuard key: 32 bytes in base64.',
    examples: ['xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg='],
    'x-kubernetes-validations': [
      {
        rule: `self != '${ALL_ZERO}'`,
        message: 'must not be the all-zero key. Copy the output of `wg pubkey` whole.',
      },
    ],
    remedy: "Copy the output of `wg pubkey` whole, including the final '='.",
  });

/** A public key; private keys never enter the API. */
export type WireGuardKey = z.infer<typeof wireGuardKeySchema>;
