import { z } from 'zod';
import type { QmpClient } from '../discovery/qmp/client.ts';
import { QmpError } from '../discovery/qmp/client.ts';

/** A drive of a VM that takes media or has one. */
export interface Drive {
  /** What commands call it by. */
  readonly id: string;
  readonly isCdRom: boolean;
  /** The guest does not let it be opened. */
  readonly isLocked: boolean;
  /** The file in it, as QEMU was told; null: it is empty. Empty text: something that has no name. */
  readonly file: string | null;
}

const answer = z.array(
  z.object({
    qdev: z.string().optional(),
    removable: z.boolean(),
    locked: z.boolean(),
    inserted: z.object({ file: z.string().default('') }).optional(),
  }),
);
const MOST_DRIVES = 256;
const CD_ROMS = ['ide-cd', 'scsi-cd'];

/** The drives of a VM, in its own order. Changes nothing. Rejects with QmpError. */
export async function askDrives(client: Pick<QmpClient, 'execute'>): Promise<Drive[]> {
  const parsed = answer.safeParse(await client.execute('query-block'));
  if (!parsed.success) throw new QmpError('what it says of its drives is not understood', true);
  const drives: Drive[] = [];
  for (const { qdev = '', removable, locked, inserted } of parsed.data.slice(0, MOST_DRIVES)) {
    if (qdev === '') continue;
    const isCdRom = removable && CD_ROMS.includes(await kindOf(client, qdev));
    drives.push({ id: qdev, isCdRom, isLocked: locked, file: inserted?.file ?? null });
  }
  return drives;
}

async function kindOf(client: Pick<QmpClient, 'execute'>, device: string): Promise<string> {
  try {
    return String(await client.execute('qom-get', { path: device, property: 'type' }));
  } catch (error) {
    if (error instanceof QmpError && error.refused) return '';
    throw error;
  }
}

/** How the image at a path comes into a VM. */
export type Way =
  /** Into this drive, which is empty, or has what lay at the path before. */
  | { readonly way: 'medium'; readonly drive: string }
  /** As a disk of its own. */
  | { readonly way: 'disk' }
  /** What lay there before cannot be taken out. */
  | { readonly way: 'none'; readonly why: string };

/** Pure. What anybody else put into a drive stays there. */
export function wayInto(drives: readonly Drive[], path: string): Way {
  const ours = drives.find(({ file }) => file === path);
  if (ours?.isCdRom === true && !ours.isLocked) return { way: 'medium', drive: ours.id };
  if (ours !== undefined) {
    const why = ours.isCdRom
      ? 'its guest has it mounted'
      : 'it is a disk, which is not changed under a guest';
    return { way: 'none', why };
  }
  const empty = drives.find(({ isCdRom, file }) => isCdRom && file === null);
  return empty === undefined ? { way: 'disk' } : { way: 'medium', drive: empty.id };
}
