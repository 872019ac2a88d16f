import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import type { Clock } from '../../lib/clock.ts';
import { isVmnError } from '../../lib/errors.ts';
import { openProcess, signalProcess, watchProcess } from '../../native/foreign-process.ts';
import { failedWith } from '../../native/native-failure.ts';
import { readCommandLine } from '../discovery/argv/command-line.ts';
import { PatientFiles } from '../discovery/patient-files.ts';
import { commandLineOf, startOf } from '../discovery/proc.ts';
import { type Monitor, openMonitor } from '../discovery/qmp/monitor-socket.ts';
import type { TapHolder } from '../host/kernel.ts';
import type { ControlMachine, EndSignal, ProcessHandle } from './machine.ts';

/** The machine this process runs on. */
export function systemControl(clock: Pick<Clock, 'setTimer'>): ControlMachine {
  const files = new PatientFiles();
  return {
    hold: (process) => hold(process, clock),
    isAlive,
    openMonitor: (pid) => ownMonitor(pid, files),
  };
}

function isAlive({ pid, startTicks }: TapHolder): boolean {
  return startOf(pid) === startTicks;
}

/** The descriptor first, then who it is: the other way round the pid could change hands in between. */
function hold(process: TapHolder, clock: Pick<Clock, 'setTimer'>): ProcessHandle | null {
  const fd = gone(() => openProcess(process.pid));
  if (fd === null) return null;
  const handle = new Pidfd(fd, clock);
  if (isAlive(process)) return handle;
  handle.close();
  return null;
}

/** Of libvirt's domains that is none, unless one was added: libvirt's own is left to libvirt. */
async function ownMonitor(pid: number, files: PatientFiles): Promise<Monitor> {
  const { qmpSockets } = readCommandLine(commandLineOf(pid));
  return openMonitor(pid, qmpSockets, files);
}

class Pidfd implements ProcessHandle {
  #fd: number | null;
  readonly #clock: Pick<Clock, 'setTimer'>;

  constructor(fd: number, clock: Pick<Clock, 'setTimer'>) {
    this.#fd = fd;
    this.#clock = clock;
  }

  isThere(): boolean {
    return gone(() => this.#send(0)) !== null;
  }

  signal(signal: EndSignal): void {
    gone(() => this.#send(constants.signals[signal]));
  }

  endsWithin(ms: number, signal: AbortSignal): Promise<boolean> {
    const fd = this.#open();
    return new Promise((resolve, reject) => {
      const settle = (answer: () => void): void => {
        watch.close();
        timer.cancel();
        signal.removeEventListener('abort', aborted);
        answer();
      };
      const aborted = (): void => settle(() => reject(signal.reason as Error));
      const watch = watchProcess(fd, () => settle(() => resolve(true)));
      const timer = this.#clock.setTimer(ms, () => settle(() => resolve(false)));
      signal.addEventListener('abort', aborted);
      if (signal.aborted) aborted();
    });
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  #send(signal: number): true {
    signalProcess(this.#open(), signal);
    return true;
  }

  #open(): number {
    if (this.#fd === null) throw new Error('closed');
    return this.#fd;
  }
}

/** What a call gives, or null because the process has ended. */
function gone<T>(call: () => T): T | null {
  try {
    return call();
  } catch (error) {
    if (isVmnError(error) && failedWith(error.cause, 'ESRCH')) return null;
    throw error;
  }
}
