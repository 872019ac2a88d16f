/**
 * The links of any network namespace, by a descriptor of it (`/proc/PID/ns/net`, a file in /run/netns); null is the main
 * thread's own, which it never leaves. Another one needs CAP_SYS_ADMIN besides CAP_NET_ADMIN.
 */
import { addon, type Closable } from './addon.ts';
import { attempt, type Attempt } from './native-failure.ts';
import { links, type Link } from './rtnetlink.ts';

export function linksIn(netnsFd: number | null): Link[] {
  if (netnsFd === null) return links();
  return attempt(inNamespace('list the interfaces of a network namespace'), () => addon().linksIn(netnsFd));
}

/**
 * Calls back when links of that namespace changed, or may have (the kernel's queue overflowed): look again. Several changes
 * may give one call. Keeps the process alive until closed, and the namespace too: whoever watches must let go of it.
 */
export function watchLinksIn(netnsFd: number | null, callback: () => void): Closable {
  return attempt(inNamespace('watch the interfaces of a network namespace'), () =>
    addon().watchLinksIn(netnsFd, callback),
  );
}

function inNamespace(attempted: string): Attempt {
  const remedy =
    'Run as root or with CAP_SYS_ADMIN: VMs in network namespaces of their own cannot be seen without.';
  return { code: 'VMN_NETLINK', attempted, means: { EPERM: { code: 'VMN_CAPABILITY', remedy } } };
}
