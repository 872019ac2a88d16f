import { readFileSync } from 'node:fs';
import { unixSockets, watchProcessEnd } from '../../native/foreign-process.ts';
import type { UnixSocket } from '../../native/foreign-process.ts';
import { NatControl } from '../../native/nat-control.ts';
import { startOf } from '../discovery/proc.ts';
import type { ControlMachine } from '../vm-control/machine.ts';

/** What the agent asks of the machine about engines: production passes the real one, tests a model. */
export interface EngineMachine extends Pick<ControlMachine, 'hold'> {
  /** Of whoever asks here. */
  readonly pid: number;
  connect(path: string): Promise<NatControl>;
  /** Start time of a process; null: there is none. */
  startOf(pid: number): string | null;
  /** Text of /proc/PID/status; empty: there is none. */
  statusOf(pid: number): string;
  /** @throws VmnError VMN_CAPABILITY, VMN_NETLINK */
  socketsOf(pid: number): readonly UnixSocket[];
  /** Calls back once when the process has ended. @throws VmnError when there is none */
  watchEnd(pid: number, callback: () => void): { close(): void };
}

export function systemEngines(control: Pick<ControlMachine, 'hold'>): EngineMachine {
  return {
    pid: process.pid,
    hold: (engine) => control.hold(engine),
    connect: (path) => NatControl.connect(path),
    startOf,
    statusOf,
    socketsOf: unixSockets,
    watchEnd: watchProcessEnd,
  };
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}
