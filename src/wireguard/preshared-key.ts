/** Bytes of a WireGuard pre-shared key. */
export const PRESHARED_KEY_BYTES = 32;

/** As `wg genpsk` prints it: canonical base64 of 32 bytes, perhaps with the newline of a file. */
const TEXT = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=\n?$/;

export type PresharedKey =
  /** The caller zeroes `key` once it is done with it. */
  | { readonly state: 'ok'; readonly key: Buffer }
  /** `fault` never quotes what was found. */
  | { readonly state: 'invalid'; readonly fault: string };

/**
 * Reads the value of one entry of a Secret, as the API server gives it (base64 of the entry's bytes). Never throws.
 * The key of zeros is refused: WireGuard takes it for "no pre-shared key".
 */
export function readPresharedKey(entry: unknown): PresharedKey {
  if (typeof entry !== 'string' || entry === '') return { state: 'invalid', fault: 'is empty' };
  const value = Buffer.from(entry, 'base64');
  try {
    const text = value.toString('latin1');
    if (!TEXT.test(text)) {
      return { state: 'invalid', fault: `is not 32 bytes in base64 (it has ${value.length} bytes)` };
    }
    const key = Buffer.from(text, 'base64');
    if (key.every((byte) => byte === 0)) return { state: 'invalid', fault: 'is the key of zeros' };
    return { state: 'ok', key };
  } finally {
    value.fill(0);
  }
}
