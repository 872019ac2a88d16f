import { resolve } from 'node:path';
import { answeredAtStart, guestOf, noteGuestKeys } from '../../agent/guest/guest-seed.ts';
import { keyOfStart, readKeys } from '../../agent/guest/key-rotation.ts';
import { removeLeftSeeds } from '../../agent/guest/left-seeds.ts';
import type { ClosedTapPorts } from '../../agent/wiring/closed-tap.ts';
import { type AttachmentPaths, guestKeyOf, seedOf, seedsDirOf } from '../../agent/wiring/paths.ts';
import type { AttachmentRecord } from '../../agent/wiring/record.ts';
import { seedDocuments } from '../../cloudinit/documents/seed-documents.ts';
import { removeUnfinishedSeeds, writeSeedImage } from '../../cloudinit/seed-image/image-file.ts';
import { noCloudFiles } from '../../cloudinit/seed-image/no-cloud.ts';
import { isVmnError, type VmnError } from '../../lib/errors.ts';
import type { SeedWish } from './seed-wish.ts';

/*
 * Theory of operation
 *
 * The tap is there and closed; nothing here touches it. Then, before QEMU:
 *
 *   1  seeds of VMs that have ended are removed    a launcher that was killed cannot do it
 *   2  the VM's key is made, read, or replaced     a key without a record cannot be: it has been written before the tap
 *   3  the public key is noted in the record       from there it comes into the agent's status
 *   4  the seed image is written                   0600, in a folder 0700
 *
 * and QEMU has it open as long as it lives: the guest reads it again at each of its boots. When QEMU has ended, the image goes.
 */

/** Gives the absolute path of the VM's seed image; null: it is to have none. Throws VMN_STATE_UNREADABLE, VMN_SEED_FILE, VMN_SEED_IMAGE. */
export async function provision(
  wish: SeedWish | null,
  { tap }: Pick<AttachmentRecord, 'tap'>,
  paths: AttachmentPaths,
  ports: ClosedTapPorts,
): Promise<string | null> {
  const guest = ports.withStateLock(() => {
    removeLeftSeeds(paths, ports, process.pid);
    const file = guestKeyOf(paths, tap);
    const isFirst = readKeys(file) === null;
    const key = wish?.hasTunnel === true ? keyOfStart(file) : null;
    const told = key === null ? null : { publicKey: key.publicKey };
    const record = noteGuestKeys(tap, told, ports.records, answeredAtStart(isFirst, wish?.rotation));
    // Our claim is in it, and nobody removes a record that is claimed.
    if (record === null) throw new TypeError('the record of a tap that was just made is not there');
    if (wish === null) return null;
    const { network, presharedKey } = wish;
    const keys =
      key === null
        ? null
        : { privateKey: key.privateKey, ...(presharedKey === null ? {} : { presharedKey }) };
    // A VM is known as long as its record is; one of the same name that comes later has another.
    return guestOf(network, record, { vmName: record.vm, instance: record.createdAt }, keys);
  });
  await removeUnfinishedSeeds(seedsDirOf(paths));
  if (wish === null || guest === null) return null;
  const path = resolve(seedOf(paths, tap));
  await writeSeedImage(path, noCloudFiles(seedDocuments(guest, wish)));
  return path;
}

/**
 * The VM has ended: its seed image goes, unless a process has its tap still (-daemonize) or claimed it meanwhile. What stands
 * against that is given, not thrown: the VM's own end is what is told by the exit code, and the next start does it again.
 */
export function unprovision(paths: AttachmentPaths, ports: ClosedTapPorts): VmnError | null {
  try {
    ports.withStateLock(() => {
      removeLeftSeeds(paths, ports, process.pid);
    });
    return null;
  } catch (error) {
    if (isVmnError(error)) return error;
    throw error;
  }
}
