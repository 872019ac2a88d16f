import type { Kernel } from '../../agent/host/kernel.ts';
import type { Nft } from '../../agent/host/nft.ts';
import { isTapName } from '../../agent/wiring/identity.ts';
import { type AttachmentPaths, pinDirOf, recordsDirOf } from '../../agent/wiring/paths.ts';
import { isGuardInForce, readGuard } from '../../agent/wiring/nft-table.ts';
import { RecordFolder } from '../../agent/wiring/record.ts';
import { isVmnError } from '../../lib/errors.ts';
import { kernelAttachment, type KernelAttachment } from './kernel-attachment.ts';

/** Names of the taps that the kernel or the records know of, sorted. */
export function managedTaps(kernel: Kernel, paths: AttachmentPaths): string[] {
  const pinned = kernel.listPins(paths.bpffs);
  const links = kernel.links().map(({ name }) => name);
  const recorded = new RecordFolder(recordsDirOf(paths)).list().keys();
  return [...new Set([...pinned, ...links, ...recorded].filter(isTapName))].sort();
}

/** Reads the kernel back without an agent. Changes nothing. Needs root. */
export async function readKernelStatus(
  kernel: Kernel,
  nft: Nft,
  paths: AttachmentPaths,
): Promise<KernelAttachment[]> {
  const records = new RecordFolder(recordsDirOf(paths));
  const guarded = await isGuarded(nft, paths.pool);
  return managedTaps(kernel, paths).map((tap) =>
    kernelAttachment(
      tap,
      records.read(tap),
      kernel.linkByName(tap),
      kernel.readBack(pinDirOf(paths, tap)),
      guarded,
    ),
  );
}

/** Which uplinks are opened, and what is managed, is the agent's to say; the rest must be as we write it. Not readable: no. */
async function isGuarded(nft: Nft, pool: string): Promise<boolean> {
  try {
    const found = await readGuard(nft);
    return found !== null && isGuardInForce(found, { ...found, pool });
  } catch (error) {
    if (isVmnError(error)) return false;
    throw error;
  }
}
