/**
 * The host's side of a sealed pre-shared key, from the description alone: version, ephemeral X25519 key, ChaCha20-Poly1305
 * under key and nonce of HKDF-SHA256; the salt is both public keys, the additional data says for whom and for what. Nothing of src/ is used, so sealing and opening cannot be wrong in the same way.
 */
import {
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import type { Attachment } from './objects.ts';

const VERSION = 1;
const INFO = 'vmnetwork.io/v1alpha1 sealed pre-shared key';
/** DER in front of the 32 bytes of a public X25519 key (RFC 8410). */
const SPKI = Buffer.from('302a300506032b656e032100', 'hex');

export class SealingKey {
  readonly #private: KeyObject;
  /** Base64 of 32 bytes, as a VMNetworkNode publishes it. */
  readonly publicKey: string;

  private constructor(key: KeyObject) {
    this.#private = key;
    this.publicKey = raw(createPublicKey(key)).toString('base64');
  }

  static generate(): SealingKey {
    return new SealingKey(generateKeyPairSync('x25519').privateKey);
  }

  /** The pre-shared key that was sealed for this attachment; throws if it is for another host or attachment, or was touched. */
  open({ metadata, spec }: Attachment): Buffer {
    const sealed = spec.sealedPresharedKey;
    if (sealed === undefined) throw new Error(`${metadata.name} has no sealed key`);
    const box = Buffer.from(sealed.ciphertext, 'base64');
    if (box[0] !== VERSION) throw new Error(`version ${String(box[0])} of sealed keys is not known here`);
    const ephemeral = box.subarray(1, 33);
    const salt = Buffer.concat([ephemeral, Buffer.from(this.publicKey, 'base64')]);
    const material = Buffer.from(hkdfSync('sha256', this.#agree(ephemeral), salt, INFO, 32 + 12));
    const [key, nonce] = [material.subarray(0, 32), material.subarray(32)];
    const tag = box.subarray(-16);
    const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 });
    const place = `${metadata.namespace!}/${metadata.name}`;
    decipher.setAAD(Buffer.from(`${INFO}\n${place}\n${this.publicKey}`), { plaintextLength: 32 });
    decipher.setAuthTag(tag);
    return Buffer.concat([decipher.update(box.subarray(33, -16)), decipher.final()]);
  }

  /** The shared secret with somebody whose 32 public bytes are known. */
  #agree(theirs: Uint8Array): Buffer {
    const publicKey = createPublicKey({ key: Buffer.concat([SPKI, theirs]), format: 'der', type: 'spki' });
    return diffieHellman({ privateKey: this.#private, publicKey });
  }
}

function raw(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(SPKI.length);
}
