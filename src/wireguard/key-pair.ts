import { createPublicKey } from 'node:crypto';
import { generateRawPair, privateKeyObject, rawPublic, X25519_KEY_BYTES } from './x25519.ts';

/** One end of a tunnel. */
export interface TunnelKeyPair {
  /** 32 bytes, secret: whoever is done with it zeroes it. */
  readonly privateKey: Buffer;
  /** Base64, as `wg pubkey` prints it. */
  readonly publicKey: string;
}

/** A new pair; OpenSSL gives the private half the bits that RFC 7748 (section 5) sets, as `wg genkey` does. */
export function generateTunnelKeyPair(): TunnelKeyPair {
  const { privateKey, publicKey } = generateRawPair();
  return { privateKey, publicKey: publicKey.toString('base64') };
}

/** What `wg pubkey` prints for it. Throws TypeError for anything but 32 bytes, which it does not quote. */
export function publicKeyOf(privateKey: Uint8Array): string {
  if (privateKey.length !== X25519_KEY_BYTES) throw new TypeError('a private key has 32 bytes');
  return rawPublic(createPublicKey(privateKeyObject(privateKey))).toString('base64');
}
