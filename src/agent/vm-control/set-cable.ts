import type { Clock } from '../../lib/clock.ts';
import type { TapHolder } from '../host/kernel.ts';
import { askVm } from '../discovery/qmp/ask.ts';
import { QmpError } from '../discovery/qmp/client.ts';
import { setLink } from '../discovery/qmp/commands.ts';
import { freeMonitor } from './end-vm.ts';
import type { ControlMachine } from './machine.ts';

export interface Cable {
  readonly process: TapHolder;
  /** Of the card, lower case. */
  readonly mac: string;
}

/**
 * Pulls the cable of a card, or plugs it in; `about` is called right before. Null: it is done, or the VM is gone; else why it
 * could not be. Rejects with the signal's reason and with what `about` throws.
 */
export async function setCable(
  { process, mac }: Cable,
  up: boolean,
  machine: ControlMachine,
  clock: Pick<Clock, 'sleep'>,
  signal: AbortSignal,
  about: () => void = () => undefined,
): Promise<string | null> {
  const handle = machine.hold(process);
  if (handle === null) return null;
  try {
    const monitor = await freeMonitor(process.pid, machine, clock, signal);
    if (!('client' in monitor)) return monitor.unavailable;
    try {
      const { cards } = await askVm(monitor.client);
      const mine = cards.filter((card) => card.mac === mac);
      const [backend] = mine.flatMap(({ backends }) => backends);
      if (mine.length !== 1 || backend === undefined) return `it has no single card ${mac}`;
      if (signal.aborted || !handle.isThere()) return null;
      about();
      await setLink(monitor.client, backend, up);
      return null;
    } catch (error) {
      if (!(error instanceof QmpError)) throw error;
      return error.message;
    } finally {
      monitor.client.close();
    }
  } finally {
    handle.close();
  }
}
