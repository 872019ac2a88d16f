import { ensureInitramfs } from './initramfs.ts';
import { ensureKernel, type GuestKernel, type Progress } from './kernel.ts';

/** All that is needed to boot a guest. */
export interface GuestImage {
  kernel: GuestKernel;
  initramfs: string;
}

/**
 * From the cache where it is there: the first call on a machine downloads and compiles (10 s), later ones take 0.2 s.
 * `modules`: of the kernel, besides those of every guest; `kernel.ts` names the parts of the package that they are from.
 */
export async function ensureImage(progress?: Progress, modules: readonly string[] = []): Promise<GuestImage> {
  const kernel = await ensureKernel(progress);
  return { kernel, initramfs: await ensureInitramfs(kernel, modules) };
}
