import { readFileSync } from 'node:fs';
import { unixSockets, watchProcessEnd } from '../../native/foreign-process.ts';
import type { UnixSocket } from '../../native/foreign-process.ts';
import { NatControl } from '../../native/nat-control.ts';
import { startOf } from '../discovery/proc.ts';
import type { TapHolder } from '../host/kernel.ts';
import type { ControlMachine } from '../vm-control/machine.ts';
import { GUEST_SOCKET } from './engine-place.ts';

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

/** Who holds the guest's end, of the sockets of an engine's process; one that has ended holds nothing, whatever the engine has noticed. */
export function guestsOf(
  sockets: readonly UnixSocket[],
  machine: Pick<EngineMachine, 'startOf'>,
): readonly TapHolder[] {
  return sockets.flatMap(({ path, listening, peerPid: pid }) => {
    const startTicks = path === GUEST_SOCKET && !listening && pid > 0 ? machine.startOf(pid) : null;
    return startTicks === null ? [] : [{ pid, startTicks }];
  });
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
