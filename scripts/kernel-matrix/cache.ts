import { fileURLToPath } from 'node:url';

/** Where downloaded kernels are kept: .cache/kernels in the project, ignored by git, safe to delete. */
export function cacheFolder(): string {
  return process.env['VMN_KERNEL_CACHE'] ?? fileURLToPath(new URL('../../.cache/kernels', import.meta.url));
}

/** Where this run's results are written: one JSON and one console for each kernel. */
export function resultsFolder(): string {
  return fileURLToPath(new URL('../../build/kernel-matrix', import.meta.url));
}

/** The native build whose programs are tried. */
export function nativeFolder(): string {
  return process.env['VMN_NATIVE_BUILD'] ?? fileURLToPath(new URL('../../build/native', import.meta.url));
}
