import type { z } from 'zod';
import { formedText } from './formed-text.ts';

/**
 * 32 bytes in canonical base64, as `wg pubkey` prints them: 43 characters and one `=`. The last character carries only
 * four bits, so a third of the alphabet is left for it; any other would be a second spelling of the same key.
 */
const KEY_PATTERN = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;
const ALL_ZERO = `${'A'.repeat(43)}=`;
const NO_KEY = 'must not be the all-zero key, which WireGuard reads as "no key"';
const REMEDY = "Copy the output of `wg pubkey` whole, including the final '='.";

export const wireGuardKeySchema = formedText({
  pattern: KEY_PATTERN,
  maxLength: 64,
  form: 'must be a WireGuard key: 32 bytes in base64, 44 characters, the last one "="',
  remedy: REMEDY,
})
  .refine((text) => text !== ALL_ZERO, { error: NO_KEY })
  .brand<'WireGuardKey'>()
  .meta({
    description: 'WireGuard key: 32 bytes in base64.',
    examples: ['xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg='],
    'x-kubernetes-validations': [{ rule: `self != '${ALL_ZERO}'`, message: `${NO_KEY}. ${REMEDY}` }],
  });

/** A public key; private keys never enter the API. */
export type WireGuardKey = z.infer<typeof wireGuardKeySchema>;

/** X25519 public key to which a host's secrets are sealed: the same 32 bytes in base64. */
export const sealingKeySchema = formedText({
  pattern: KEY_PATTERN,
  maxLength: 64,
  form: 'must be an X25519 public key: 32 bytes in base64, 44 characters, the last one "="',
  remedy: 'Give the public key of the host as its agent made it.',
}).meta({
  description: 'X25519 public key: 32 bytes in base64.',
  examples: ['qEz+ioYxomxawZLvXHgdr0jGc5t+GjiAV7KyIY2UWos='],
});
