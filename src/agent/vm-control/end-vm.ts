import type { Clock } from '../../lib/clock.ts';
import { VmnError } from '../../lib/errors.ts';
import { QmpError } from '../discovery/qmp/client.ts';
import { quit } from '../discovery/qmp/commands.ts';
import type { Monitor } from '../discovery/qmp/monitor-socket.ts';
import type { TapHolder } from '../host/kernel.ts';
import type { ControlMachine, ProcessHandle } from './machine.ts';

/*
 * Theory of operation
 *
 * A VM is ended as kindly as goes within seconds, for its disks' sake; nothing of it passes the network meanwhile.
 *
 *   quit     by its own monitor, where that may be used: QEMU writes back what it holds and ends by itself
 *   SIGTERM  where it may not (none, in use, libvirt's): the same to QEMU. libvirt sees its domain end
 *   SIGKILL  when it has not ended in time
 *
 * All of it is about one process, held by a descriptor before it was looked at: a pid that changed hands ends nobody else.
 * That it has ended is told by the kernel, not by an answer. Cut off anywhere (the agent dies) it is done again from the start.
 */

/** How a process ended; `gone`: by itself, before anything was done. */
export type HowEnded = 'gone' | 'quit' | 'SIGTERM' | 'SIGKILL';

/** ms. What a guest's disk needs to be written back, and then what the kernel needs to take a process apart. */
const LEAVING_MS = 5000;
const KILLED_MS = 10_000;

/** A monitor is held for milliseconds by those who only ask, this agent among them. */
const BUSY_TRIES = 6;
const BUSY_PAUSE_MS = 100;

/** Rejects with VMN_CAPABILITY, with VMN_TAP_IN_USE when it does not end, and with the signal's reason. */
export async function endVm(
  target: TapHolder,
  machine: ControlMachine,
  clock: Pick<Clock, 'sleep'>,
  signal: AbortSignal,
): Promise<HowEnded> {
  const process = machine.hold(target);
  if (process === null) return 'gone';
  try {
    const asked = await askToQuit(target.pid, process, machine, clock, signal);
    signal.throwIfAborted();
    if (!asked) process.signal('SIGTERM');
    if (await process.endsWithin(LEAVING_MS, signal)) return asked ? 'quit' : 'SIGTERM';
    process.signal('SIGKILL');
    if (await process.endsWithin(KILLED_MS, signal)) return 'SIGKILL';
  } finally {
    process.close();
  }
  throw new VmnError('VMN_TAP_IN_USE', {
    attempted: 'end the VM for its violations',
    on: `pid ${target.pid}`,
    remedy:
      'Look for what keeps the process (a disk or server that does not answer); it is quarantined meanwhile.',
    cause: new Error('it was killed and is still there'),
  });
}

/** Whether it was asked, or may have been. */
async function askToQuit(
  pid: number,
  process: ProcessHandle,
  machine: ControlMachine,
  clock: Pick<Clock, 'sleep'>,
  signal: AbortSignal,
): Promise<boolean> {
  const monitor = await freeMonitor(pid, machine, clock, signal);
  if (!('client' in monitor)) return false;
  try {
    // Whose it is was asked by its pid: which was its own if it still is.
    if (signal.aborted || !process.isThere()) return false;
    await quit(monitor.client);
    return true;
  } catch (error) {
    if (!(error instanceof QmpError)) throw error;
    // Without an answer it may be on its way out: it is given the time.
    return !error.refused;
  } finally {
    monitor.client.close();
  }
}

/** A session, waited for a moment where somebody else is there. */
export async function freeMonitor(
  pid: number,
  machine: Pick<ControlMachine, 'openMonitor'>,
  clock: Pick<Clock, 'sleep'>,
  signal: AbortSignal,
): Promise<Monitor> {
  for (let tries = 1; ; tries += 1) {
    const monitor = await machine.openMonitor(pid);
    if ('client' in monitor || !monitor.busy || tries >= BUSY_TRIES) return monitor;
    await clock.sleep(BUSY_PAUSE_MS, signal);
  }
}
