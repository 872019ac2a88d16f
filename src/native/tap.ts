/** Taps: how they are born and opened. `docs/adr/0003`: a tap becomes persistent only after it was proven closed. */
import { addon } from './addon.ts';
import { attempt, type Attempt } from './native-failure.ts';

/**
 * A new tap, single queue, which lives as long as its descriptor is open: until persistTap(). It is down and has no
 * filter yet.
 * @throws VmnError VMN_TAP_IN_USE when an interface of this name exists, VMN_TUN_MISSING
 */
export function createTap(name: string): { fd: number; ifindex: number } {
  return attempt(tapAttempt('create the tap', name), () => addon().createTap(name));
}

/** From now on the tap outlives its descriptor. `owner`: the id of a user who may open it without CAP_NET_ADMIN. */
export function persistTap(fd: number, owner?: number): void {
  attempt(tapAttempt('make the tap persistent', `fd ${fd}`), () => {
    addon().persistTap(fd, owner ?? null);
  });
}

export interface OpenTapOptions {
  /** Each frame is preceded by a virtio-net header, as QEMU asks for. */
  vnetHeader?: boolean;
  /** TUN_F_… bits of <linux/if_tun.h>. */
  offloads?: number;
}

/**
 * Opens a tap that exists, as QEMU does: the descriptor reads and writes whole frames and does not block. Never creates.
 * @throws VmnError VMN_TAP_IN_USE when somebody else holds it
 */
export function openTap(name: string, options: OpenTapOptions = {}): number {
  return attempt(tapAttempt('open the tap', name), () =>
    addon().openTap(name, options.vnetHeader ?? false, options.offloads ?? 0),
  ).fd;
}

function tapAttempt(attempted: string, on: string): Attempt {
  return {
    code: 'VMN_NETLINK',
    attempted,
    on,
    bySyscall: { open: 'VMN_TUN_MISSING' },
    means: {
      EBUSY: { code: 'VMN_TAP_IN_USE' },
      EPERM: { code: 'VMN_CAPABILITY', remedy: 'Run as root or with CAP_NET_ADMIN.' },
      ENODEV: { remedy: 'There is no such tap; create it first (`vmnetctl run`, or the agent).' },
      EINVAL: { remedy: 'Use a name of at most 15 characters; a tap that exists must be single-queue.' },
    },
  };
}
