import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { PRESHARED_KEY_BYTES } from './preshared-key.ts';
import { generateRawPair, privateKeyObject, publicKeyObject, rawPublic } from './x25519.ts';

/*
 * Theory of operation
 *
 * The controller may read a tenant's Secret, an agent may read none. So the controller seals the key to the public key
 * that the VM's host publishes, and only that host opens it:
 *
 *   shared   = X25519(ephemeral private, recipient)                            RFC 7748
 *   key|nonce = HKDF-SHA256(shared, salt: ephemeral | recipient, info, 44)     RFC 5869
 *   sealed   = version | ephemeral public | ChaCha20-Poly1305(key, nonce, aad) RFC 8439
 *
 * The ephemeral key is used once, so key and nonce are. The additional data names the attachment and the recipient: text
 * that is moved to another attachment, or to another host, does not open. Sealing says nothing of who sealed; that is
 * what RBAC and admission are for.
 */

/** Where a sealed key belongs; it opens nowhere else. */
export interface SealedFor {
  /** Of the attachment. */
  readonly namespace: string;
  readonly name: string;
  /** The host's public sealing key: base64 of 32 bytes. */
  readonly recipient: string;
}

/** Text that does not open: altered, of another attachment, or for another key. Says no more than that. */
export class CannotOpen extends Error {
  override readonly name = 'CannotOpen';
  constructor() {
    super('the sealed pre-shared key does not open: altered, of another attachment, or for another host');
  }
}

const VERSION = 1;
const PUBLIC_KEY_BYTES = 32;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SEALED_BYTES = 1 + PUBLIC_KEY_BYTES + PRESHARED_KEY_BYTES + TAG_BYTES;
const INFO = 'vmnetwork.io/v1alpha1 sealed pre-shared key';
const CIPHER = 'chacha20-poly1305';

/** Whether `text` can be sealed to: canonical base64 of 32 bytes that are no key of small order. A host may write anything. */
export function isSealingKey(text: unknown): text is string {
  const key = typeof text === 'string' ? rawKey(text) : null;
  if (key === null) return false;
  const material = agree(privateKeyObject(ANY_PRIVATE_KEY), key, key, key);
  material?.fill(0);
  return material !== null;
}

/** With a key of small order every private key agrees on the same: nothing. */
const ANY_PRIVATE_KEY = Buffer.alloc(32, 0x42);

/**
 * Base64 of 97 bytes. Two calls never give the same.
 *
 * @throws TypeError for a recipient that is no public key (also one of small order, with which nothing would be secret)
 */
export function sealPresharedKey(presharedKey: Buffer, where: SealedFor): string {
  const recipient = rawKey(where.recipient);
  if (recipient === null) throw new TypeError('the sealing key of the host is not base64 of 32 bytes');
  if (presharedKey.length !== PRESHARED_KEY_BYTES) throw new TypeError('a pre-shared key has 32 bytes');
  const ephemeral = generateKeyPairSync('x25519');
  const ephemeralPublic = rawPublic(ephemeral.publicKey);
  const material = agree(ephemeral.privateKey, recipient, ephemeralPublic, recipient);
  if (material === null) throw new TypeError('the sealing key of the host is of small order');
  try {
    const cipher = createCipheriv(CIPHER, keyOf(material), nonceOf(material), { authTagLength: TAG_BYTES });
    cipher.setAAD(associated(where), { plaintextLength: PRESHARED_KEY_BYTES });
    const text = Buffer.concat([cipher.update(presharedKey), cipher.final()]);
    return Buffer.concat([Buffer.of(VERSION), ephemeralPublic, text, cipher.getAuthTag()]).toString('base64');
  } finally {
    material.fill(0);
  }
}

/**
 * The 32 bytes that were sealed; the caller zeroes them once done.
 *
 * @param privateKey the host's, 32 bytes; stays the caller's
 * @throws CannotOpen
 */
export function openPresharedKey(
  sealed: string,
  privateKey: Uint8Array,
  where: Pick<SealedFor, 'namespace' | 'name'>,
): Buffer {
  const bytes = Buffer.from(sealed, 'base64');
  if (bytes.length !== SEALED_BYTES || bytes[0] !== VERSION || bytes.toString('base64') !== sealed) {
    throw new CannotOpen();
  }
  const own = privateKeyObject(privateKey);
  const recipient = rawPublic(createPublicKey(own));
  const ephemeralPublic = bytes.subarray(1, 1 + PUBLIC_KEY_BYTES);
  const text = bytes.subarray(1 + PUBLIC_KEY_BYTES, SEALED_BYTES - TAG_BYTES);
  const material = agree(own, ephemeralPublic, ephemeralPublic, recipient);
  if (material === null) throw new CannotOpen();
  try {
    const decipher = createDecipheriv(CIPHER, keyOf(material), nonceOf(material), {
      authTagLength: TAG_BYTES,
    });
    const aad = associated({ ...where, recipient: recipient.toString('base64') });
    decipher.setAAD(aad, { plaintextLength: PRESHARED_KEY_BYTES });
    decipher.setAuthTag(bytes.subarray(SEALED_BYTES - TAG_BYTES));
    const opened = decipher.update(text);
    try {
      decipher.final();
    } catch {
      opened.fill(0);
      throw new CannotOpen();
    }
    return opened;
  } finally {
    material.fill(0);
  }
}

/** A host's pair: the private half stays there, the public one goes into its VMNetworkNode. */
export function generateSealingKey(): { readonly privateKey: Buffer; readonly publicKey: string } {
  const { privateKey, publicKey } = generateRawPair();
  return { privateKey, publicKey: publicKey.toString('base64') };
}

/** Null when the other key is of small order: the shared secret would be known to all. */
function agree(own: KeyObject, theirs: Uint8Array, ephemeral: Uint8Array, recipient: Uint8Array) {
  let shared: Buffer;
  try {
    shared = diffieHellman({ privateKey: own, publicKey: publicKeyObject(theirs) });
  } catch {
    return null;
  }
  try {
    if (shared.every((byte) => byte === 0)) return null;
    const salt = Buffer.concat([ephemeral, recipient]);
    return Buffer.from(hkdfSync('sha256', shared, salt, INFO, KEY_BYTES + NONCE_BYTES));
  } finally {
    shared.fill(0);
  }
}

const keyOf = (material: Buffer): Buffer => material.subarray(0, KEY_BYTES);
const nonceOf = (material: Buffer): Buffer => material.subarray(KEY_BYTES);

/** None of the three can hold a newline, so no two places give the same bytes. */
function associated({ namespace, name, recipient }: SealedFor): Buffer {
  return Buffer.from(`${INFO}\n${namespace}/${name}\n${recipient}`);
}

function rawKey(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === PUBLIC_KEY_BYTES && bytes.toString('base64') === text ? bytes : null;
}
