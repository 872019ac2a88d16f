import type { ModelMachine, ModelProcess } from './model-machine.ts';

/** Of the card of each modelled QEMU. */
export const MAC = '52:54:00:00:00:01';

/** A QEMU named `vm` in that namespace, on a new tap of that name; `words`: more of its command line. */
export function startQemu(
  machine: ModelMachine,
  netns: number,
  tap: string,
  ...words: readonly string[]
): ModelProcess {
  const process = machine.fork('qemu-system-x86_64', netns);
  process.words = [
    'qemu',
    '-name',
    'vm',
    '-netdev',
    `tap,id=n,ifname=${tap}`,
    '-device',
    `nic,netdev=n,mac=${MAC}`,
    ...words,
  ];
  machine.hold(process, 3, machine.makeTap(netns, tap));
  return process;
}
