import { isVmnError } from '../../lib/errors.ts';
import { failedWith } from '../../native/native-failure.ts';
import type { ClosedTapPorts } from '../wiring/closed-tap.ts';
import { demandClosed } from '../wiring/closed-tap.ts';
import type { Kernel } from '../host/kernel.ts';
import { ownerOfAlias } from '../wiring/identity.ts';
import { isTap } from '../wiring/managed.ts';

/*
 * A link that somebody else made may be up and in use. It is not set down to be closed: its programs are attached with no
 * policy, which closes it by itself, and are read back. Under the state lock, for a tap that looks like somebody else's may
 * be one of ours in the making; what it is is asked there once more.
 *
 * The pins of its number may be those of an interface that left this namespace, where its programs go on. They are emptied and
 * set aside, under a name at which they are looked after until that interface is gone.
 *
 * SIGKILL after attaching leaves it closed, by programs that hold no policy.
 */

/** Throws VMN_BPF_LOAD, VMN_BPF_ATTACH, VMN_READ_BACK; the link is not closed then. A link that is gone needs nothing. */
export function closeLink(
  pinDir: string,
  ifindex: number,
  { kernel, withStateLock }: Pick<ClosedTapPorts, 'kernel' | 'withStateLock'>,
): void {
  withStateLock(() => {
    const link = kernel.links().find((one) => one.ifindex === ifindex);
    if (link === undefined || !isTap(link) || ownerOfAlias(link.alias, link.name) !== null) return;
    try {
      attach(pinDir, ifindex, kernel);
    } catch (error) {
      if (!isVmnError(error) || !failedWith(error.cause, 'EBUSY')) throw error;
      setAside(pinDir, kernel);
      kernel.attachFilter(pinDir, ifindex);
    }
    demandClosed(kernel, ifindex, pinDir);
  });
}

function attach(pinDir: string, ifindex: number, kernel: Kernel): void {
  const { fromVm, toVm } = kernel.readBack(pinDir);
  // One of the two hooks is left: what was counted goes on. Of none it is not certain that it was this very interface.
  if ([fromVm, toVm].some((hook) => hook?.ifindex === ifindex)) kernel.replaceFilter(pinDir, ifindex, null);
  else kernel.attachFilter(pinDir, ifindex);
}

function setAside(pinDir: string, kernel: Kernel): void {
  try {
    kernel.writePolicy(pinDir, null);
  } catch (error) {
    // It is tried again where they are looked after; this one is to be closed now.
    if (!isVmnError(error)) throw error;
  }
  kernel.setPinsAside(pinDir);
}
