import type { Clock } from '../../lib/clock.ts';
import { QmpError } from '../discovery/qmp/client.ts';
import type { QmpClient } from '../discovery/qmp/client.ts';
import type { TapHolder } from '../host/kernel.ts';
import { freeMonitor } from '../vm-control/end-vm.ts';
import type { ControlMachine } from '../vm-control/machine.ts';
import { askDrives, wayInto } from './drives.ts';
import type { GuestSaid } from './guest-order.ts';

/*
 * Theory of operation
 *
 * A VM that somebody else started is given its seed image by its own monitor, where that may be used: into a CD-ROM drive that is
 * empty, else as one more virtio disk where the machine takes one while it runs. QEMU opens the image by its path, as whoever it
 * runs as. What a drive holds that is not ours stays in it. Nothing is remembered: whether a VM has the image is seen by what its
 * process has open (held-seed.ts), so that no agent puts it in twice, and one that a launcher attached by its path counts.
 */

/** What QEMU calls the disk and its node. */
export const SEED_DISK = 'vmnet-seed';

type Failed = Pick<GuestSaid, 'reason' | 'message'>;

/** Null: it was given, or the VM has ended; which is to be looked at. Else why it was not. Rejects with the signal's reason. */
export async function deliverSeed(
  path: string,
  process: TapHolder,
  machine: ControlMachine,
  clock: Pick<Clock, 'sleep'>,
  signal: AbortSignal,
): Promise<Failed | null> {
  const handle = machine.hold(process);
  if (handle === null) return null;
  try {
    const monitor = await freeMonitor(process.pid, machine, clock, signal);
    if (!('client' in monitor)) return notDelivered(`${monitor.unavailable}. ${BY_PATH}`);
    try {
      const way = wayInto(await askDrives(monitor.client), path);
      if (signal.aborted || !handle.isThere()) return null;
      if (way.way === 'none') return { reason: 'Outdated', message: `${OUTDATED}; ${way.why}` };
      if (way.way === 'medium') await changeMedium(monitor.client, way.drive, path);
      else return await plugDisk(monitor.client, path);
      return null;
    } catch (error) {
      if (!(error instanceof QmpError)) throw error;
      return notDelivered(`QEMU did not take it: ${error.message}. ${BY_PATH}`);
    } finally {
      monitor.client.close();
    }
  } finally {
    handle.close();
  }
}

const BY_PATH = 'Start the VM with the image as a disk (its path is in `vmnetctl status -o json`)';
const OUTDATED = 'it has the seed image of before; the new one is taken up when the VM is started anew';

function notDelivered(message: string): Failed {
  return { reason: 'NotDelivered', message };
}

async function changeMedium(client: Pick<QmpClient, 'execute'>, id: string, filename: string): Promise<void> {
  const given = { id, filename, format: 'raw', 'read-only-mode': 'read-only' };
  await client.execute('blockdev-change-medium', given);
}

async function plugDisk(client: Pick<QmpClient, 'execute'>, filename: string): Promise<Failed | null> {
  const file = { driver: 'file', filename };
  await client.execute('blockdev-add', { driver: 'raw', 'node-name': SEED_DISK, 'read-only': true, file });
  try {
    await client.execute('device_add', { driver: 'virtio-blk-pci', id: SEED_DISK, drive: SEED_DISK });
    return null;
  } catch (error) {
    if (!(error instanceof QmpError)) throw error;
    if (error.refused) await client.execute('blockdev-del', { 'node-name': SEED_DISK });
    const message = `no CD-ROM drive of it is empty, and it takes no disk while it runs: ${error.message}. ${BY_PATH}`;
    return { reason: 'NoDrive', message };
  }
}
