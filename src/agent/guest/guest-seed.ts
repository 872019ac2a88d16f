import type { Guest } from '../../cloudinit/documents/guest.ts';
import { parseGuest } from '../../cloudinit/documents/guest.ts';
import type { GuestKeys, ProvisioningNetwork } from '../../cloudinit/mapping/guest-input.ts';
import { guestInput } from '../../cloudinit/mapping/guest-input.ts';
import { GATEWAY_ADDRESS, TAP_MTU } from '../wiring/identity.ts';
import type { AttachmentRecord, RecordedGuest, RecordStore } from '../wiring/record.ts';

/** What tells this guest from others. */
export interface GuestName {
  readonly vmName: string;
  /** Stays as long as the VM does; another VM of the same name has another. */
  readonly instance: string;
}

/** The guest of a record. Throws ZodError, which quotes no key. */
export function guestOf(
  network: ProvisioningNetwork,
  { guestMac, guestAddress }: Pick<AttachmentRecord, 'guestMac' | 'guestAddress'>,
  name: GuestName,
  keys: GuestKeys | null,
): Guest {
  const card = { mac: guestMac, address: guestAddress, gateway: GATEWAY_ADDRESS, mtu: TAP_MTU };
  return parseGuest(guestInput(network, { ...name, card }, keys));
}

/** The request that is answered by the key of a start: the one that stands, if it is the VM's first key. */
export function answeredAtStart(isFirst: boolean, asked: string | undefined): { readonly rotation?: string } {
  return isFirst && asked !== undefined ? { rotation: asked } : {};
}

/**
 * Notes in the record which key its guest is given, and which comes after it, from where it comes into status. Read again under the state lock, which the caller
 * holds: others note things there, too. Null: there is no record. Throws VMN_STATE_UNREADABLE.
 */
export function noteGuestKeys(
  key: string,
  keys: RecordedGuest | null,
  records: RecordStore,
  answered: { readonly rotation?: string } = {},
): AttachmentRecord | null {
  const found = records.read(key);
  if (found.state === 'unreadable') throw found.error;
  if (found.state === 'absent') return null;
  const { guest, ...others } = found.record;
  const isSame = guest?.publicKey === keys?.publicKey && guest?.nextPublicKey === keys?.nextPublicKey;
  if (isSame && (answered.rotation ?? others.rotation) === others.rotation) return found.record;
  const record = keys === null ? others : { ...others, guest: keys, ...answered };
  records.write(record);
  return record;
}
