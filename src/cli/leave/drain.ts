import { closeLink } from '../../agent/found/close-link.ts';
import type { Kernel, Link } from '../../agent/host/kernel.ts';
import { demandClosed } from '../../agent/wiring/closed-tap.ts';
import type { ManagedInterfaces } from '../../agent/wiring/managed.ts';
import type { AttachmentPaths } from '../../agent/wiring/paths.ts';
import type { RecordStore } from '../../agent/wiring/record.ts';
import { attachmentFault } from '../../agent/wiring/verify.ts';
import { isVmnError, VmnError } from '../../lib/errors.ts';
import { listManaged, type ManagedTap } from './managed-taps.ts';

/*
 * Every managed tap gets deny-all, and is read back. An agent that runs would open it again, so none may. What is cut off in
 * between leaves each tap as it was, or closed; a tap of ours whose programs are not in their places is first set down.
 */

export interface DrainPorts {
  readonly kernel: Kernel;
  readonly records: Pick<RecordStore, 'list'>;
}

export interface Drained extends Pick<ManagedTap, 'tap' | 'vm' | 'pins'> {
  /** `was-closed`: nothing was to be done. */
  readonly outcome: 'closed' | 'was-closed' | 'failed';
  readonly error: { readonly code: string; readonly message: string; readonly remedy: string } | null;
}

/** Under the state lock. One tap's failure is that tap's. */
export function drain(
  { kernel, records }: DrainPorts,
  paths: AttachmentPaths,
  guarded: ManagedInterfaces,
): Drained[] {
  return listManaged(kernel, records, paths, guarded)
    .filter(({ state }) => state !== 'gone')
    .map((tap) => {
      const { tap: name, vm, pins } = tap;
      try {
        if (tap.state === 'closed') return { tap: name, vm, pins, outcome: 'was-closed', error: null };
        close(tap, kernel);
        return { tap: name, vm, pins, outcome: 'closed', error: null };
      } catch (error) {
        if (!isVmnError(error)) throw error;
        const { code, message, remedy } = error;
        return { tap: name, vm, pins, outcome: 'failed', error: { code, message, remedy } };
      }
    });
}

function close(tap: ManagedTap, kernel: Kernel): void {
  const { link, pinDir, own } = tap;
  if (link === null) return closeElsewhere(tap, kernel);
  const filter = kernel.readBack(pinDir);
  const isAttached = attachmentFault(filter, link.ifindex) === null;
  if (isAttached && filter.policyState === 'set') kernel.writePolicy(pinDir, null);
  else if (own || isAttached) closeAnew(link, pinDir, own, kernel);
  else closeLink(pinDir, link.ifindex, { kernel, withStateLock: (body) => body() });
  demandClosed(kernel, link.ifindex, pinDir);
}

function closeAnew(link: Link, pinDir: string, own: boolean, kernel: Kernel): void {
  if (own && link.up) kernel.setLink(link.ifindex, { up: false });
  kernel.replaceFilter(pinDir, link.ifindex, null);
}

/** By its pins alone, which are the host's: what they lead to judges by them wherever it is. */
function closeElsewhere({ pinDir }: ManagedTap, kernel: Kernel): void {
  kernel.writePolicy(pinDir, null);
  const { fromVm, toVm, policyState } = kernel.readBack(pinDir);
  if (policyState === 'empty' && [fromVm, toVm].every((hook) => (hook?.ifindex ?? 0) > 0)) return;
  throw new VmnError('VMN_READ_BACK', {
    attempted: 'close a tap in another network namespace',
    on: pinDir,
    remedy: 'End its VM, or let an agent run until it says that the tap is denied.',
  });
}
