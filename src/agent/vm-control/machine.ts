import type { TapHolder } from '../host/kernel.ts';
import type { Monitor } from '../discovery/qmp/monitor-socket.ts';

export type EndSignal = 'SIGTERM' | 'SIGKILL';

/**
 * One process, held by a descriptor: whatever is asked of it is asked of that very process, also when its pid is somebody
 * else's by then.
 */
export interface ProcessHandle {
  /** False once it has ended and its pid may be another's. */
  isThere(): boolean;
  /** Its having ended is success. @throws VmnError VMN_CAPABILITY */
  signal(signal: EndSignal): void;
  /** Whether it ended within the time. Rejects with the signal's reason when that aborts. */
  endsWithin(ms: number, signal: AbortSignal): Promise<boolean>;
  /** Idempotent. */
  close(): void;
}

/** What control of VMs asks of the machine: production passes the real one (`systemControl`), tests a model. */
export interface ControlMachine {
  /** Null when this process has ended, also when its pid is another's. */
  hold(process: TapHolder): ProcessHandle | null;
  /** Whether the process is there. */
  isAlive(process: TapHolder): boolean;
  /** A session on the VM's own monitor, if one may be had; see discovery/qmp/monitor-socket.ts. Never rejects. */
  openMonitor(pid: number): Promise<Monitor>;
}
