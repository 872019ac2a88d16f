/**
 * Work of the main thread in another network namespace: the thread goes there, works, and is back before the call returns.
 *
 * Nothing else of this process runs meanwhile on that thread, since the event loop does not turn; other threads stay where
 * they are. Child processes started inside stay inside, and so do sockets. A way back that fails ends the process (abort):
 * in a wrong namespace it would take the interfaces of others for its own.
 */
import { readlinkSync, stat } from 'node:fs';
import { isPromise } from 'node:util/types';
import { addon } from './addon.ts';
import { attempt } from './native-failure.ts';

/** `net:[4026531840]` of the namespace that the main thread is in: the id of a namespace for as long as it lives. */
export function ownNetworkNamespace(): string {
  return readlinkSync('/proc/thread-self/ns/net');
}

/**
 * What `work` returns, which is done in the namespace behind a descriptor of it. What it throws is thrown as it is. It must
 * be over when it returns: of an asynchronous function the first part only would run there.
 * @throws VmnError VMN_CAPABILITY, VMN_NETLINK when the namespace cannot be entered; TypeError for a promise
 */
export function inNetworkNamespace<T>(netnsFd: number, work: () => T): T {
  let outcome: { readonly value: T } | { readonly thrown: unknown } | null = null;
  attempt(
    {
      code: 'VMN_NETLINK',
      attempted: 'enter a network namespace',
      means: { EPERM: { code: 'VMN_CAPABILITY', remedy: NETNS_REMEDY } },
    },
    () =>
      addon().inNetns(netnsFd, () => {
        try {
          outcome = { value: work() };
        } catch (thrown) {
          outcome = { thrown };
        }
      }),
  );
  const { value } = settled<T>(outcome);
  if (isPromise(value)) throw new TypeError('asynchronous work cannot be done in another network namespace');
  return value;
}

export const NETNS_REMEDY =
  'Run as root or with CAP_SYS_ADMIN: VMs in network namespaces of their own cannot be filtered without.';

/** libuv starts its threads at the first use, each in the namespace of that moment: this is to be done at home, once. */
export function startThreadsHere(): void {
  stat('/', () => undefined);
}

function settled<T>(outcome: { readonly value: T } | { readonly thrown: unknown } | null): {
  readonly value: T;
} {
  if (outcome === null) throw new Error('the work was cut off');
  if ('thrown' in outcome) throw outcome.thrown;
  return outcome;
}
