import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { noCloudFiles } from '../../cloudinit/seed-image/no-cloud.ts';
import { writeSeedImage } from '../../cloudinit/seed-image/image-file.ts';
import { seedImage } from '../../cloudinit/seed-image/seed-image.ts';
import type { SeedFile } from '../../cloudinit/seed-image/seed-file.ts';
import { seedDocuments } from '../../cloudinit/documents/seed-documents.ts';
import { deliveryOf } from '../../cloudinit/mapping/guest-input.ts';
import type { PatientPorts } from '../wiring/closed-tap.ts';
import type { AttachmentPaths } from '../wiring/paths.ts';
import { guestKeyOf } from '../wiring/paths.ts';
import type { AttachmentRecord } from '../wiring/record.ts';
import type { GuestOrder } from './guest-order.ts';
import { answeredAtStart, guestOf, noteGuestKeys } from './guest-seed.ts';
import type { GuestName } from './guest-seed.ts';
import { loadGuestKey } from './key-file.ts';
import { keyOfStart, readKeys } from './key-rotation.ts';

/** One guest of a VM that somebody else started. */
export interface OrderedGuest {
  /** What its record goes by. */
  readonly key: string;
  readonly vmName: string;
  /** Known of the VM itself, whoever starts it; null: it goes by its record. */
  readonly uuid: string | null;
  readonly order: GuestOrder;
}

/**
 * `isStart`: its VM has had no image yet, so it gets the next key if there is one.
 * Makes the guest's key, if it has none, and the image at its path, if what lies there is another: a VM that has it open keeps
 * having this very file. False: the record has ended meanwhile. Throws LockBusy, VMN_STATE_UNREADABLE, VMN_SEED_FILE, VMN_SEED_IMAGE,
 * CannotOpen, and ZodError for a guest that cannot be told.
 */
export async function makeSeed(
  guest: OrderedGuest,
  path: string,
  paths: AttachmentPaths,
  {
    whenStateLockIsFree,
    withStateLock,
    records,
  }: Pick<PatientPorts, 'whenStateLockIsFree' | 'withStateLock' | 'records'>,
  isStart: boolean,
): Promise<boolean> {
  const { key, order } = guest;
  const files = await whenStateLockIsFree(() =>
    withStateLock(() => {
      // No key without a record, with which it ends.
      if (records.read(key).state === 'absent') return null;
      const file = guestKeyOf(paths, key);
      const isFirst = readKeys(file) === null;
      const { privateKey, publicKey } = isStart ? keyOfStart(file) : loadGuestKey(file);
      const nextPublicKey = readKeys(file)?.next?.publicKey;
      const keys = { publicKey, ...(nextPublicKey === undefined ? {} : { nextPublicKey }) };
      const record = noteGuestKeys(key, keys, records, answeredAtStart(isFirst, order.rotation));
      return record === null ? null : filesOf(guest, record, privateKey, order);
    }),
  );
  if (files === null) return false;
  if (!(await liesThere(path, files))) await writeSeedImage(path, files);
  // Whoever ended the record meanwhile found no image yet.
  return whenStateLockIsFree(() =>
    withStateLock(() => {
      if (records.read(key).state !== 'absent') return true;
      records.remove(key);
      return false;
    }),
  );
}

function filesOf(
  { vmName, uuid }: OrderedGuest,
  record: AttachmentRecord,
  privateKey: string,
  { network, presharedKey }: GuestOrder,
): SeedFile[] {
  const name: GuestName = { vmName, instance: uuid ?? record.createdAt };
  const opened = presharedKey.kind === 'none' ? null : presharedKey.open();
  try {
    const shared = opened === null ? {} : { presharedKey: opened.toString('base64') };
    const guest = guestOf(network, record, name, { privateKey, ...shared });
    const delivery = deliveryOf(network) ?? 'VendorData';
    return noCloudFiles(seedDocuments(guest, { delivery, userData: new Uint8Array() }));
  } finally {
    opened?.fill(0);
  }
}

async function liesThere(path: string, files: readonly SeedFile[]): Promise<boolean> {
  const wanted = await digestOf(seedImage(files));
  try {
    return (await digestOf(createReadStream(path))).equals(wanted);
  } catch {
    return false; // it is not there, or cannot be read: it is written
  }
}

async function digestOf(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const hash = createHash('sha256');
  for await (const chunk of bytes) hash.update(chunk);
  return hash.digest();
}
