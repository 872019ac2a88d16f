import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/*
 * X25519 keys (RFC 7748) as WireGuard has them, 32 bytes, and as node:crypto has them, which takes and gives DER.
 */

export const X25519_KEY_BYTES = 32;

/** DER in front of the 32 bytes of a public or private key (RFC 8410). */
const PUBLIC_DER = Buffer.from('302a300506032b656e032100', 'hex');
const PRIVATE_DER = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** A new pair, raw. The caller zeroes the private key once it is done with it. */
export function generateRawPair(): { readonly privateKey: Buffer; readonly publicKey: Buffer } {
  const pair = generateKeyPairSync('x25519');
  const der = pair.privateKey.export({ format: 'der', type: 'pkcs8' });
  const privateKey = Buffer.from(der.subarray(PRIVATE_DER.length));
  der.fill(0);
  return { privateKey, publicKey: rawPublic(pair.publicKey) };
}

export function rawPublic(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(PUBLIC_DER.length);
}

export function publicKeyObject(raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([PUBLIC_DER, raw]), format: 'der', type: 'spki' });
}

export function privateKeyObject(raw: Uint8Array): KeyObject {
  const der = Buffer.concat([PRIVATE_DER, raw]);
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } finally {
    der.fill(0);
  }
}
