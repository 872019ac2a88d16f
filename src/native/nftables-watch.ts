import { addon, type Closable } from './addon.ts';
import { attempt, type Attempt } from './native-failure.ts';

/**
 * Calls back when the nftables rule set of the main thread's network namespace changed, whoever changed it, or may have
 * (the kernel's queue overflowed): look again. Several changes may give one call. Keeps the process alive until closed.
 * @throws VmnError VMN_NETLINK, or VMN_CAPABILITY without CAP_NET_ADMIN
 */
export function watchNftables(onChange: () => void): Closable {
  return attempt(netlink('watch nftables'), () => addon().watchNftables(onChange));
}

/**
 * Which rule set the network namespace of the main thread has: another number after each transaction, whoever made it. For
 * as long as it is the same, so is every table.
 * @throws VmnError VMN_NETLINK, or VMN_CAPABILITY without CAP_NET_ADMIN
 */
export function nftablesGeneration(): number {
  return attempt(netlink('ask nftables for its generation'), () => addon().nftablesGeneration());
}

function netlink(attempted: string): Attempt {
  const remedy = 'Run as root or with CAP_NET_ADMIN.';
  return { code: 'VMN_NETLINK', attempted, means: { EPERM: { code: 'VMN_CAPABILITY', remedy } } };
}
