import { fileURLToPath } from 'node:url';

/** Where downloaded and built pieces of the guest are kept: .cache/guest in the project, ignored by git, safe to delete. */
export function cacheFolder(): string {
  return process.env['VMN_GUEST_CACHE'] ?? fileURLToPath(new URL('../../../.cache/guest', import.meta.url));
}
