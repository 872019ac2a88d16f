import { addon, type Closable } from './addon.ts';
import { attempt } from './native-failure.ts';

/**
 * Calls back when the nftables rule set of the main thread's network namespace changed, whoever changed it, or may have
 * (the kernel's queue overflowed): look again. Several changes may give one call. Keeps the process alive until closed.
 * @throws VmnError VMN_NETLINK, or VMN_CAPABILITY without CAP_NET_ADMIN
 */
export function watchNftables(onChange: () => void): Closable {
  return attempt(
    {
      code: 'VMN_NETLINK',
      attempted: 'watch nftables',
      means: { EPERM: { code: 'VMN_CAPABILITY', remedy: 'Run as root or with CAP_NET_ADMIN.' } },
    },
    () => addon().watchNftables(onChange),
  );
}
