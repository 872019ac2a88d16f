import type { Kernel } from '../../agent/host/kernel.ts';
import { isTapName } from '../../agent/wiring/identity.ts';
import { type AttachmentPaths, pinDirOf, recordsDirOf } from '../../agent/wiring/paths.ts';
import { RecordFolder } from '../../agent/wiring/record.ts';
import { kernelAttachment, type KernelAttachment } from './kernel-attachment.ts';

/** Names of the taps that the kernel or the records know of, sorted. */
export function managedTaps(kernel: Kernel, paths: AttachmentPaths): string[] {
  const pinned = kernel.listPins(paths.bpffs);
  const links = kernel.links().map(({ name }) => name);
  const recorded = new RecordFolder(recordsDirOf(paths)).list().keys();
  return [...new Set([...pinned, ...links, ...recorded].filter(isTapName))].sort();
}

/** Reads the kernel back without an agent. Changes nothing. Needs root. */
export function readKernelStatus(kernel: Kernel, paths: AttachmentPaths): KernelAttachment[] {
  const records = new RecordFolder(recordsDirOf(paths));
  return managedTaps(kernel, paths).map((tap) =>
    kernelAttachment(tap, records.read(tap), kernel.linkByName(tap), kernel.readBack(pinDirOf(paths, tap))),
  );
}
