import { CannotOpen, openPresharedKey } from '../../../wireguard/sealed-key.ts';
import type { PresharedKeyOffer } from '../../guest/guest-order.ts';
import type { SealingKey } from './sealing-key.ts';
import type { WishedAttachment } from './wishes.ts';

/**
 * The pre-shared keys that came sealed. Each text is opened once, to see that it can be, and what was in it is wiped at once; it is
 * opened again when a guest's seed image is written.
 */
export class SealedKeys {
  readonly #key: SealingKey | null;
  /** What is wrong with each text, by uid of its attachment. */
  readonly #seen = new Map<string, { readonly ciphertext: string; readonly fault: string | null }>();

  /** @param key null: it cannot be read */
  constructor(key: SealingKey | null) {
    this.#key = key;
  }

  /** Why the key of this attachment cannot be had; null: it can, or there is none. */
  faultOf({ uid, namespace, name, spec }: WishedAttachment): string | null {
    const sealed = spec?.sealedPresharedKey;
    if (sealed === undefined) return null;
    const seen = this.#seen.get(uid);
    if (seen?.ciphertext === sealed.ciphertext) return seen.fault;
    const fault = this.#open(sealed, { namespace, name });
    this.#seen.set(uid, { ciphertext: sealed.ciphertext, fault });
    return fault;
  }

  /** As the guest's seed image needs it. */
  offerOf({ namespace, name, spec }: WishedAttachment): PresharedKeyOffer {
    const sealed = spec?.sealedPresharedKey;
    if (sealed === undefined) return { kind: 'none' };
    const open = (): Buffer => {
      if (this.#key === null) throw new CannotOpen();
      return openPresharedKey(sealed.ciphertext, this.#key.privateKey, { namespace, name });
    };
    return { kind: 'sealed', id: sealed.ciphertext, open };
  }

  /** Forgets attachments that are no more. */
  keepOnly(uids: ReadonlySet<string>): void {
    for (const uid of this.#seen.keys()) if (!uids.has(uid)) this.#seen.delete(uid);
  }

  #open(
    { recipient, ciphertext }: { readonly recipient: string; readonly ciphertext: string },
    where: { readonly namespace: string; readonly name: string },
  ): string | null {
    if (this.#key === null)
      return 'the sealing key of this host cannot be read; see the problems of its agent';
    if (recipient !== this.#key.publicKey) {
      return 'the pre-shared key is sealed to another key than that of this host; the controller seals it again';
    }
    try {
      openPresharedKey(ciphertext, this.#key.privateKey, where).fill(0);
      return null;
    } catch {
      return new CannotOpen().message;
    }
  }
}
