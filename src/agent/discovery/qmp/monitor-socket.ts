import { isVmnError } from '../../../lib/errors.ts';
import { unixSockets, type UnixSocket } from '../../../native/foreign-process.ts';
import type { PatientFiles } from '../patient-files.ts';
import { QmpClient, QmpError, type QmpLimits } from './client.ts';

/*
 * A monitor on a unix socket serves one client at a time; the next one is let wait in the socket's queue, and gets the
 * monitor when the first leaves. So before connecting, the VM's process is looked at: a client that it accepted is one more
 * of its sockets, with the path it came to. Is there one, the monitor is left alone, and what the command line or libvirt tell
 * has to do. Somebody who comes while we are there waits for the few milliseconds that we ask.
 *
 * The path is what somebody wrote on a command line. It is used only if the VM's own process listens there, and what
 * answers is believed only if our connection arrived in that process: else a link put in the path's place could make one VM
 * answer for another.
 */

/** sun_path of sockaddr_un, with the zero at its end. */
const LONGEST_PATH = 107;

/** A session, or why there is none. `busy`: somebody else is there, and may leave. */
export type Monitor =
  | { readonly client: Pick<QmpClient, 'execute' | 'close'> }
  | { readonly unavailable: string; readonly busy: boolean };

const IN_USE = 'its QMP socket is in use';

/** A session on the first of the paths that is free. The caller closes it, soon. Never rejects. */
export async function openMonitor(
  pid: number,
  paths: readonly string[],
  files: PatientFiles,
  limits?: QmpLimits,
): Promise<Monitor> {
  let unavailable = 'it has no QMP socket of its own';
  for (const path of paths) {
    const objection = objectionTo(socketsAt(pid, path));
    if (objection !== null) {
      unavailable = objection;
      continue;
    }
    const reachable = reachablePath(pid, path);
    if (Buffer.byteLength(reachable) > LONGEST_PATH || !(await files.isSocket(reachable))) {
      unavailable = 'its QMP socket cannot be reached';
      continue;
    }
    try {
      const client = await QmpClient.connect(reachable, limits === undefined ? {} : { limits });
      if (socketsAt(pid, path).some((socket) => !socket.listening && socket.peerPid === process.pid))
        return { client };
      client.close();
      unavailable = 'another process answers at its QMP socket';
    } catch (error) {
      if (!(error instanceof QmpError)) throw error;
      unavailable = `its QMP socket does not speak QMP (${error.message})`;
    }
  }
  return { unavailable, busy: unavailable === IN_USE };
}

function objectionTo(sockets: readonly UnixSocket[]): string | null {
  if (!sockets.some(({ listening }) => listening))
    return 'it does not listen at the QMP socket that it names';
  return sockets.every(({ listening }) => listening) ? null : IN_USE;
}

/** Sockets of the process at this path; none when it has ended or may not be looked into. */
function socketsAt(pid: number, path: string): UnixSocket[] {
  try {
    return unixSockets(pid).filter((socket) => socket.path === path);
  } catch (error) {
    if (isVmnError(error)) return [];
    throw error;
  }
}

/** In the process's own view of the file system. */
function reachablePath(pid: number, path: string): string {
  return path.startsWith('/') ? `/proc/${pid}/root${path}` : `/proc/${pid}/cwd/${path}`;
}
